// Figures and times as people read them; templatetags/figures.py says the same in the first HTML.

const NOTHING = "–";
const locale = document.documentElement.lang || undefined;
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const significant = new Intl.NumberFormat(locale, { maximumSignificantDigits: 4 });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const minute = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "long" });

const integer = (value) => whole.format(value);
const rate = (value) => (value >= 10 || value === 0 ? whole.format(value) : oneDecimal.format(value));
const measure = (value) => (Number.isInteger(value) && Math.abs(value) < 1e15 ? whole.format(value) : significant.format(value));

const percent = (value) => `${Math.trunc(value * 100)} %`;

const styles = { integer, rate, measure, percent, seconds: rate };

/** `value` in one of the styles above; text without a style, a dash when there is none. */
export const format = (value, style) => {
  if (value === null || value === undefined) return NOTHING;
  return style ? styles[style](value) : String(value);
};

export const clockTime = (date) => clock.format(date);
export const minuteTime = (date) => minute.format(date);
export const fullTime = (date) => full.format(date);
export const zoneName = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
