import { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import { lmnbIcon } from '../icons';
import { IPanel, PanelContext } from './context';
import { Panel } from './panel';

/** lmnb's place in the left area. */
export class PanelWidget extends ReactWidget {
  constructor(private _panel: IPanel) {
    super();
    const trans: TranslationBundle = _panel.trans;
    this.id = 'lmnb-panel';
    this.addClass('jp-lmnb-panel');
    this.title.icon = lmnbIcon;
    this.title.caption = trans.__('Local models (lmnb)');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Local models'));
  }

  protected override render(): JSX.Element {
    return (
      <PanelContext.Provider value={this._panel}>
        <Panel />
      </PanelContext.Provider>
    );
  }
}
