/** Command lines that are printed for the user to run again. */

const PLAIN = /^[\p{L}\p{N}_./:@=+,%-]+$/u;

/** A word as a POSIX shell needs it: in single quotes unless it is plain. */
export function shellWord(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
