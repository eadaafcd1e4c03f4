import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { CodeEditor } from '@jupyterlab/codeeditor';
import {
  CompletionHandler,
  ICompletionProviderManager,
  IInlineCompletionContext,
  IInlineCompletionItem,
  IInlineCompletionList,
  IInlineCompletionProvider
} from '@jupyterlab/completer';
import { NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { messageOf } from '../api/errors';
import { lmnbIcon } from '../icons';
import { Completer } from '../state/completer';
import { tidy } from '../state/fill';
import { ILmnb, Lmnb } from '../state/lmnb';
import { PACKAGE } from './ids';

const ID = `${PACKAGE}:completion`;

/** Code completion while one types, by a model that can fill in the middle. */
export const completion: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Completes code by a local model, once one is chosen.',
  autoStart: true,
  requires: [ILmnb],
  optional: [ICompletionProviderManager, ISettingRegistry, ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    lmnb: Lmnb,
    manager: ICompletionProviderManager | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ) => {
    if (!manager || !registry) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('lmnb');
    const completer = new Completer(lmnb.connection);
    manager.registerInlineProvider(
      new Provider(trans.__('Local model (lmnb)'), completer)
    );
    registry
      .load(ID)
      .then(settings => {
        const take = (): void => {
          const { model, contextTokens, maxTokens } = settings.composite;
          completer.settings = {
            model: String(model),
            contextTokens: Number(contextTokens),
            maxTokens: Number(maxTokens)
          };
          lmnb.completion.set({
            model: completer.settings.model,
            choose: model => settings.set('model', model)
          });
        };
        settings.changed.connect(take);
        take();
      })
      .catch(error => console.error(messageOf(error)));
  }
};

class Provider implements IInlineCompletionProvider {
  readonly identifier = ID;
  readonly icon = lmnbIcon;

  constructor(
    readonly name: string,
    private _completer: Completer
  ) {}

  /** Nothing until a model is chosen; then an empty item that `stream` fills. */
  fetch(
    request: CompletionHandler.IRequest,
    context: IInlineCompletionContext
  ): Promise<IInlineCompletionList> {
    if (!this._completer.settings.model) {
      return Promise.resolve({ items: [] });
    }
    const cell = {
      before: request.text.slice(0, request.offset),
      after: request.text.slice(request.offset)
    };
    const { above, below, editor } = placeOf(context);
    this._follow(editor);
    this._after = cell.after;
    this._running = this._completer.begin(cell, above, below);
    this._token = String(Number(this._token) + 1);
    return Promise.resolve({
      items: [{ insertText: '', isIncomplete: true, token: this._token }]
    });
  }

  async *stream(
    token: string
  ): AsyncGenerator<{ response: IInlineCompletionItem }> {
    const { _running: running, _after: after } = this;
    if (token !== this._token || !running) {
      return;
    }
    let insertText = '';
    try {
      for await (insertText of running) {
        yield { response: { insertText, isIncomplete: true } };
      }
      yield { response: { insertText: tidy(insertText, after) } };
    } catch (error) {
      yield { response: { insertText, error: { message: messageOf(error) } } };
    }
  }

  /** Whoever types on ends what no longer fits. */
  private _follow(editor: CodeEditor.IEditor | null): void {
    const model = editor?.model.sharedModel ?? null;
    if (model === this._followed) {
      return;
    }
    this._followed?.changed.disconnect(this._typed, this);
    model?.changed.connect(this._typed, this);
    this._followed = model;
  }

  private _typed(): void {
    if (this._followed) {
      this._completer.typed(this._followed.getSource());
    }
  }

  private _running: AsyncGenerator<string> | null = null;
  private _after = '';
  private _token = '0';
  private _followed: CodeEditor.IModel['sharedModel'] | null = null;
}

/** The code above and below what is edited, and its editor. */
function placeOf(context: IInlineCompletionContext): {
  above: string[];
  below: string[];
  editor: CodeEditor.IEditor | null;
} {
  if (!(context.widget instanceof NotebookPanel)) {
    return { above: [], below: [], editor: null };
  }
  const { widgets, activeCellIndex, activeCell } = context.widget.content;
  const code = (from: number, to: number): string[] =>
    widgets
      .slice(from, to)
      .filter(cell => cell.model.type === 'code')
      .map(cell => cell.model.sharedModel.getSource());
  return {
    above: code(0, activeCellIndex),
    below: code(activeCellIndex + 1, widgets.length),
    editor: activeCell?.editor ?? null
  };
}
