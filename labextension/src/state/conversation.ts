import { chat } from '../api/chat';
import { Connection } from '../api/connection';
import { isAbort, messageOf } from '../api/errors';
import { IChatOptions, IMessage } from '../api/types';
import { Observable } from './observable';
import { quoted } from './quoted';

/** A turn as it is shown; the last one may still grow. */
export interface ITurn {
  role: 'user' | 'assistant';
  text: string;
  thinking?: string;
  /** Why it ended, if not by itself. */
  note?: 'stopped' | 'length' | 'failed';
}

/** What the last answer took. */
export interface IFigures {
  tokens: number;
  perSecond: number | null;
}

/** A conversation with one model, to try it. It is kept nowhere. */
export class Conversation {
  /** The identifier or key of the model; empty until there is one. */
  readonly model = new Observable<string>('');
  readonly system = new Observable<string>('');
  readonly options = new Observable<IChatOptions>({});
  readonly turns = new Observable<readonly ITurn[]>([]);
  readonly running = new Observable<boolean>(false);
  readonly figures = new Observable<IFigures | null>(null);
  readonly error = new Observable<string | null>(null);

  constructor(private _connection: Connection) {}

  /** Ask, and stream the answer into `turns`. */
  async send(text: string): Promise<void> {
    if (this.running.value) {
      return;
    }
    const abort = (this._abort = new AbortController());
    const answer: ITurn = { role: 'assistant', text: '' };
    const before = [...this.turns.value, { role: 'user' as const, text }];
    const show = (): void => this.turns.set([...before, { ...answer }]);
    const messages = this._messages(before);
    this.error.set(null);
    this.running.set(true);
    show();
    try {
      const options = this.options.value;
      for await (const step of chat(
        this._connection,
        this.model.value,
        messages,
        options,
        abort.signal
      )) {
        answer.text += step.text ?? '';
        if (step.thinking) {
          answer.thinking = (answer.thinking ?? '') + step.thinking;
        }
        if (step.finish === 'length') {
          answer.note = 'length';
        }
        if (step.usage) {
          const { prompt_tokens: asked, completion_tokens: said } = step.usage;
          this.figures.set({
            tokens: asked + said,
            perSecond: step.tokensPerSecond ?? null
          });
        }
        show();
      }
    } catch (error) {
      answer.note =
        isAbort(error) || abort.signal.aborted ? 'stopped' : 'failed';
      if (answer.note === 'failed') {
        this.error.set(messageOf(error));
      }
      show();
    } finally {
      this.running.set(false);
    }
  }

  /** What came so far stays. */
  stop(): void {
    this._abort?.abort();
  }

  clear(): void {
    this.stop();
    this.turns.set([]);
    this.figures.set(null);
    this.error.set(null);
  }

  private _messages(turns: readonly ITurn[]): IMessage[] {
    const system = this.system.value.trim();
    return [
      ...(system ? [{ role: 'system' as const, content: system }] : []),
      // An answer of which nothing came is no part of the conversation.
      ...turns
        .filter(turn => turn.text)
        .map(({ role, text }) => ({ role, content: text }))
    ];
  }

  private _abort: AbortController | null = null;
}

/** The last question as a cell of a notebook, in which it is asked again. */
export function asCell(conversation: {
  model: { value: string };
  system: { value: string };
  options: { value: IChatOptions };
  turns: { value: readonly ITurn[] };
}): string | null {
  const asked = conversation.turns.value.filter(turn => turn.role === 'user');
  const last = asked[asked.length - 1];
  if (!last) {
    return null;
  }
  const { temperature, max_tokens, top_p } = conversation.options.value;
  const system = conversation.system.value.trim().replace(/\s*\n\s*/g, ' ');
  const words = [
    '%%lms',
    '--model',
    quoted(conversation.model.value),
    ...(temperature === undefined
      ? []
      : ['--temperature', String(temperature)]),
    ...(top_p === undefined ? [] : ['--top-p', String(top_p)]),
    ...(max_tokens === undefined ? [] : ['--max-tokens', String(max_tokens)]),
    ...(system ? ['--system', quoted(system)] : []),
    // What was typed here has no variables of the notebook in it.
    ...(last.text.includes('{') ? ['--raw'] : [])
  ];
  return `${words.join(' ')}\n${last.text}`;
}
