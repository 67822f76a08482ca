// Times as zkCli prints them: java.util.Date.toString(), "Mon Nov 30 21:48:10 UTC 2026", in the local time zone.

const LOCALES = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-ZA'];

export function javaDate(ms: number): string {
  const date = new Date(ms);
  const [weekday, month, day, year] = date.toDateString().split(' ');
  const time = date.toTimeString().slice(0, 8);
  return `${weekday} ${month} ${day} ${time} ${zoneName(date)} ${year}`;
}

/** Java writes CET where the locale en-US only has GMT+1: each locale knows the names of its own zones. */
function zoneName(date: Date): string {
  let name = 'UTC';
  for (const locale of LOCALES) {
    const parts = new Intl.DateTimeFormat(locale, { timeZoneName: 'short' }).formatToParts(date);
    name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC';
    if (!/^GMT[+-]/.test(name)) break;
  }
  return name;
}
