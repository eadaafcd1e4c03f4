import {
  ABCWidgetFactory,
  DocumentModel,
  DocumentRegistry,
  DocumentWidget,
  IDocumentWidget,
  TextModelFactory
} from '@jupyterlab/docregistry';
import { Contents } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import { Button } from '../panel/parts/button';

/** A document whose content nobody asks for: models have gigabytes. */
export class ModelFileFactory extends TextModelFactory {
  static readonly NAME = 'lmnb-model-file';

  override get name(): string {
    return ModelFileFactory.NAME;
  }

  /** None: the content is left where it is. */
  override get fileFormat(): Contents.FileFormat {
    return null;
  }

  /** Saved by somebody else, it says: or JupyterLab would make a checkpoint, a copy of it all. */
  override createNew(
    options?: Parameters<TextModelFactory['createNew']>[0]
  ): DocumentRegistry.ICodeModel {
    return new DocumentModel({ ...options, collaborationEnabled: true });
  }
}

/** What a double click on a model opens: a card that offers to load it. */
export class ModelFileView extends ABCWidgetFactory<IDocumentWidget> {
  constructor(
    private _trans: TranslationBundle,
    private _load: (path: string) => Promise<unknown>
  ) {
    super({
      name: 'lmnb-model-file-view',
      label: _trans.__('Language Model'),
      modelName: ModelFileFactory.NAME,
      fileTypes: ['gguf'],
      defaultFor: ['gguf'],
      readOnly: true
    });
  }

  protected override createNewWidget(
    context: DocumentRegistry.Context
  ): IDocumentWidget {
    const content = ReactWidget.create(
      <>
        <p>{context.localPath}</p>
        <Button
          label={this._trans.__('Load with lmnb')}
          kind="primary"
          action={() => this._load(context.path)}
        />
      </>
    );
    content.addClass('jp-lmnb-modelfile');
    return new DocumentWidget({ content, context });
  }
}
