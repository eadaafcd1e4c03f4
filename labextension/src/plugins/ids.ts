/** The package's name, which begins every plugin's. */
export const PACKAGE = 'lmnb-labextension';

export const CommandIDs = {
  open: 'lmnb:open',
  load: 'lmnb:load-model',
  unload: 'lmnb:unload-model',
  download: 'lmnb:download-model',
  startServer: 'lmnb:start-server',
  stopServer: 'lmnb:stop-server',
  loadFile: 'lmnb:load-file',
  quickStart: 'lmnb:quick-start',
  explainError: 'lmnb:explain-error',
  askAboutCell: 'lmnb:ask-about-cell'
} as const;
