/** What is around the cursor. */
export interface ISurroundings {
  before: string;
  after: string;
}

/**
 * Characters of code that a token has, at the least. Counting exactly would take a request of its own
 * for every key that is pressed; with this the prompt may be shorter than allowed, never longer.
 */
const CHARACTERS_A_TOKEN = 2.5;
const SEPARATOR = '\n\n';
/** Of the room, how much is for what stands above: it says more about what comes next. */
const SHARE_ABOVE = 0.75;

/**
 * The cell around the cursor with as much of the other cells as `tokens` leave room for, the nearest
 * ones first. A cell that does not fit is cut at a line.
 */
export function surroundings(
  cell: ISurroundings,
  above: readonly string[],
  below: readonly string[],
  tokens: number
): ISurroundings {
  const room = Math.floor(tokens * CHARACTERS_A_TOKEN);
  const roomAbove = Math.floor(room * SHARE_ABOVE);
  const before = lastLines([...above, cell.before].join(SEPARATOR), roomAbove);
  // What is not needed above is free below.
  const after = firstLines(
    [cell.after, ...below].join(SEPARATOR),
    room - before.length
  );
  return { before, after };
}

function lastLines(text: string, most: number): string {
  if (text.length <= most) {
    return text;
  }
  const end = text.slice(text.length - most);
  const line = end.indexOf('\n');
  return line < 0 ? end : end.slice(line + 1);
}

function firstLines(text: string, most: number): string {
  if (text.length <= most) {
    return text;
  }
  const start = text.slice(0, most);
  const line = start.lastIndexOf('\n');
  return line < 0 ? start : start.slice(0, line);
}

/** Has nothing been typed since but the beginning of the suggestion? Then it still holds. */
export function stillHolds(
  cell: ISurroundings,
  suggestion: string,
  source: string
): boolean {
  const { before, after } = cell;
  if (
    source.length < before.length + after.length ||
    !source.startsWith(before) ||
    !source.endsWith(after)
  ) {
    return false;
  }
  const typed = source.slice(before.length, source.length - after.length);
  return suggestion.startsWith(typed);
}

/** A suggestion without what stands after the cursor anyway, and without space at its end. */
export function tidy(suggestion: string, after: string): string {
  const [next = ''] = after.split('\n');
  const trimmed = suggestion.trimEnd();
  const repeated = next.trim();
  return repeated && trimmed.endsWith(repeated)
    ? trimmed.slice(0, -repeated.length).trimEnd()
    : trimmed;
}
