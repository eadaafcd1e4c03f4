import { IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import React, { useEffect, useRef } from 'react';

const TYPE = 'text/markdown';

/** Markdown as JupyterLab renders it: sanitised, with its own highlighting. */
export function Markdown(props: {
  registry: IRenderMimeRegistry;
  text: string;
}): JSX.Element {
  const { registry, text } = props;
  const host = useRef<HTMLDivElement>(null);
  const newest = useRef(text);
  const render = useRef<(() => void) | null>(null);
  newest.current = text;

  useEffect(() => {
    const renderer = registry.createRenderer(TYPE);
    let shown: string | null = null;
    let busy = false;
    // One at a time: what came meanwhile is rendered together.
    const next = async (): Promise<void> => {
      if (busy) {
        return;
      }
      busy = true;
      while (shown !== newest.current && !renderer.isDisposed) {
        shown = newest.current;
        await renderer.renderModel(new MimeModel({ data: { [TYPE]: shown } }));
      }
      busy = false;
    };
    render.current = () => void next();
    if (host.current) {
      MessageLoop.sendMessage(renderer, Widget.Msg.BeforeAttach);
      host.current.appendChild(renderer.node);
      MessageLoop.sendMessage(renderer, Widget.Msg.AfterAttach);
    }
    render.current();
    return () => {
      render.current = null;
      MessageLoop.sendMessage(renderer, Widget.Msg.BeforeDetach);
      renderer.node.remove();
      MessageLoop.sendMessage(renderer, Widget.Msg.AfterDetach);
      renderer.dispose();
    };
  }, [registry]);

  useEffect(() => render.current?.(), [text]);
  return <div ref={host} className="jp-lmnb-markdown" />;
}
