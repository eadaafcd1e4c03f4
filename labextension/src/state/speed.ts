import { IStatus } from '../api/types';

interface ISample {
  tokens: number;
  at: number;
}

/** How fast each model writes, from how many tokens it had written at two looks. */
export class Speed {
  private _samples = new Map<string, ISample>();
  private _rates = new Map<string, number>();

  /** `at` is a time in milliseconds. */
  see(status: IStatus, at: number): void {
    const samples = new Map<string, ISample>();
    this._rates = new Map();
    for (const { identifier, engine, running } of status.loaded) {
      const tokens = engine?.tokens_generated;
      if (typeof tokens !== 'number') {
        continue;
      }
      samples.set(identifier, { tokens, at });
      const before = this._samples.get(identifier);
      if (running && before && at > before.at && tokens > before.tokens) {
        const rate = ((tokens - before.tokens) * 1000) / (at - before.at);
        this._rates.set(identifier, rate);
      }
    }
    this._samples = samples;
  }

  /** Tokens a second of all models together; null while nothing is known. */
  get total(): number | null {
    const rates = [...this._rates.values()];
    return rates.length ? rates.reduce((sum, rate) => sum + rate) : null;
  }

  /** Tokens a second of one model. */
  of(identifier: string): number | null {
    return this._rates.get(identifier) ?? null;
  }
}
