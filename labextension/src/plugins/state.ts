import {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { ILmnb, Lmnb } from '../state/lmnb';
import { PACKAGE } from './ids';

/** The server as this page knows it. */
export const state: JupyterFrontEndPlugin<Lmnb> = {
  id: `${PACKAGE}:state`,
  description: 'Knows the models, downloads and keys of the lmnb server.',
  autoStart: true,
  provides: ILmnb,
  activate: (app: JupyterFrontEnd): Lmnb => {
    const lmnb = new Lmnb(app.serviceManager);
    void app.started.then(() => lmnb.refresh());
    return lmnb;
  }
};
