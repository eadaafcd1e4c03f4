import React, { KeyboardEvent, useRef } from 'react';

import { Chat } from './chat/chat';
import { Tab, useObservable, usePanel } from './context';
import { Downloads } from './downloads';
import { Models } from './models/models';
import { Server } from './server/server';

const VIEWS = {
  models: Models,
  downloads: Downloads,
  server: Server,
  chat: Chat
};
const TABS = Object.keys(VIEWS) as Tab[];

/** Four screens, one at a time. */
export function Panel(): JSX.Element {
  const { lmnb, tab: current, trans } = usePanel();
  const tab = useObservable(current);
  const lost = useObservable(lmnb.health.lost);
  const View = VIEWS[tab];
  return (
    <>
      <Tabs />
      {lost !== null && (
        <div className="jp-lmnb-lost" role="alert">
          {trans.__('The server does not answer. Trying again …')}
          <small>{lost}</small>
        </div>
      )}
      <div
        className="jp-lmnb-view"
        id={`jp-lmnb-view-${tab}`}
        role="tabpanel"
        aria-labelledby={`jp-lmnb-tab-${tab}`}
      >
        <View />
      </div>
    </>
  );
}

/** Arrow keys go from tab to tab. */
function Tabs(): JSX.Element {
  const { tab: current, trans, lmnb } = usePanel();
  const tab = useObservable(current);
  useObservable(lmnb.downloads.list);
  const bar = useRef<HTMLDivElement>(null);
  const ongoing = lmnb.downloads.ongoing.length;
  const names: Record<Tab, string> = {
    models: trans.__('Models'),
    downloads: ongoing
      ? trans.__('Downloads (%1)', ongoing)
      : trans.__('Downloads'),
    server: trans.__('Server'),
    chat: trans.__('Try it')
  };
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      const next = (TABS.indexOf(tab) + step + TABS.length) % TABS.length;
      current.set(TABS[next] as Tab);
      bar.current?.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus();
      event.preventDefault();
    }
  };
  return (
    <div
      className="jp-lmnb-tabs"
      role="tablist"
      aria-label={trans.__('Screens')}
      ref={bar}
    >
      {TABS.map(name => (
        <button
          key={name}
          id={`jp-lmnb-tab-${name}`}
          className="jp-lmnb-tab"
          role="tab"
          aria-selected={name === tab}
          aria-controls={name === tab ? `jp-lmnb-view-${name}` : undefined}
          tabIndex={name === tab ? 0 : -1}
          onClick={() => current.set(name)}
          onKeyDown={move}
        >
          {names[name]}
        </button>
      ))}
    </div>
  );
}
