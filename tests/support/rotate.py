"""`python -m tests.support.rotate`: begin a new generation of identity now, as the daily task would."""

import django


def main() -> None:
    django.setup()
    from events.rotation import rotate_identity  # needs the settings first

    rotation = rotate_identity(force=True)
    print(f"generation {rotation.generation}")


if __name__ == "__main__":
    main()
