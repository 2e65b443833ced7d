"""When a pull is next due: cron's five fields in UTC, by Celery's reading of them."""

from datetime import UTC, datetime

from celery.schedules import ParseException, crontab

from events.errors import RequestRefused


def next_run(cron: str, after: datetime) -> datetime:
    """The first time of `cron` after `after`. Raises RequestRefused (400) for what is no schedule, or never comes."""
    try:
        minute, hour, day, month, weekday = cron.split()
        schedule = crontab(minute, hour, weekday, day, month, nowfun=lambda: after)
        return (after + schedule.remaining_estimate(after)).astimezone(UTC)
    except (ValueError, TypeError, KeyError, ParseException, RuntimeError, OverflowError) as error:
        raise RequestRefused(
            400,
            "invalid_schedule",
            f"{cron!r} is no schedule: give minute, hour, day, month and weekday, such as `15 * * * *`. {error}",
        ) from None
