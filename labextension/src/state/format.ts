/** Bytes in powers of 1000, as downloads and LM Studio show them: "98 MB". */
export function bytes(count: number | null | undefined): string {
  if (count === null || count === undefined) {
    return '';
  }
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let size = count;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const digits = size < 10 && unit > 0 ? 1 : 0;
  return `${size.toFixed(digits)} ${units[unit]}`;
}

/** Seconds as "1:05" or "2:00:00". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60
  ];
  return hours
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}

/** A count as people write it: "1.2k", "3.4M". */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return '';
  }
  for (const [size, letter] of [
    [1e6, 'M'],
    [1e3, 'k']
  ] as const) {
    if (value >= size) {
      return `${(value / size).toFixed(value < 10 * size ? 1 : 0)}${letter}`;
    }
  }
  return String(value);
}

/** Tokens a second. */
export function rate(perSecond: number): string {
  return perSecond.toFixed(perSecond < 10 ? 1 : 0);
}
