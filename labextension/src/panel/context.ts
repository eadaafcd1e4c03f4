import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import {
  createContext,
  useCallback,
  useContext,
  useSyncExternalStore
} from 'react';

import { Lmnb } from '../state/lmnb';
import { Observable } from '../state/observable';
import { Conversation } from '../state/conversation';
import { Search } from '../state/search';

export type Tab = 'models' | 'downloads' | 'server' | 'chat';

/** What every part of the panel may ask for. */
export interface IPanel {
  lmnb: Lmnb;
  trans: TranslationBundle;
  tab: Observable<Tab>;
  /** Of the models: those of the Hub, or those here? */
  discovering: Observable<boolean>;
  search: Search;
  conversation: Conversation;
  /** How Markdown is shown; null where answers stay plain text. */
  rendermime: IRenderMimeRegistry | null;
  /** Put a cell into the notebook that is open; null where there is none. */
  sendToNotebook: ((source: string) => void) | null;
}

export const PanelContext = createContext<IPanel | null>(null);

export function usePanel(): IPanel {
  const panel = useContext(PanelContext);
  if (!panel) {
    throw new Error('This is shown outside of the panel.');
  }
  return panel;
}

/** The value, and the component anew whenever it changes. */
export function useObservable<T>(observable: Observable<T>): T {
  const subscribe = useCallback(
    (changed: () => void) => {
      observable.changed.connect(changed);
      return () => observable.changed.disconnect(changed);
    },
    [observable]
  );
  return useSyncExternalStore(subscribe, () => observable.value);
}
