import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { cells } from './plugins/cells';
import { commands } from './plugins/commands';
import { completion } from './plugins/completion';
import { files } from './plugins/files';
import { insertCells } from './plugins/insertcells';
import { launcher } from './plugins/launcher';
import { panel } from './plugins/panel';
import { running } from './plugins/running';
import { state } from './plugins/state';
import { statusbar } from './plugins/statusbar';

/** Each can be switched off by itself, but for the state, which all share. */
const plugins: JupyterFrontEndPlugin<unknown>[] = [
  state,
  panel,
  commands,
  statusbar,
  running,
  files,
  launcher,
  cells,
  insertCells,
  completion
];

export default plugins;
