import { quoted } from './quoted';

/** An error as the kernel wrote it. */
export interface ICellError {
  ename: string;
  evalue: string;
  traceback: readonly string[];
}

/** Characters of a traceback's end, which names the error. */
const MOST = 4000;
// Neither is part of the conversation of the `%%lms` cells, and braces in code are no expressions.
const OPTIONS = '--raw --no-history';
// eslint-disable-next-line no-control-regex -- tracebacks are coloured
const COLOURS = /\u001b\[[0-9;]*m/g;

/** A cell that asks `model` what went wrong in another. `instruction` is what it is asked. */
export function explain(
  model: string,
  source: string,
  error: ICellError,
  instruction: string
): string {
  const whole = error.traceback.join('\n').replace(COLOURS, '');
  const text = whole || `${error.ename}: ${error.evalue}`;
  const end = text.length > MOST ? `(…)\n${text.slice(-MOST)}` : text;
  return [
    magic(model),
    instruction,
    '',
    fenced(source, 'python'),
    '',
    fenced(end)
  ].join('\n');
}

/** A cell that asks `model` something about another. */
export function ask(
  model: string,
  source: string,
  language: string,
  question: string
): string {
  return [magic(model), question, '', fenced(source, language)].join('\n');
}

function magic(model: string): string {
  return `%%lms --model ${quoted(model)} ${OPTIONS}`;
}

/** Longer fences than any in the text. */
function fenced(text: string, language = ''): string {
  const longest = Math.max(
    2,
    ...[...text.matchAll(/`+/g)].map(([run]) => run.length)
  );
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.trim()}\n${fence}`;
}
