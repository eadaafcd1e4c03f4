/** A word of a line as a POSIX shell reads it, which is how `%%lms` does. */
export function quoted(word: string): string {
  return /^[\w./:@-]+$/.test(word)
    ? word
    : `'${word.replace(/'/g, "'\"'\"'")}'`;
}
