/**
 * Plugins of logs, history, the Spark UI, and engines in outputs: wiring only.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import { Api } from '../api';
import { engineIcon } from '../icons';
import { plugins as outputs } from '../mime/plugin';
import { CommandIDs, IEngineManager, NAMESPACE } from '../tokens';
import { plain } from '../words';
import { saveText } from './download';
import { HistoryView } from './history';
import { LogsView } from './logs';
import { Slots } from './slots';
import { UiView } from './ui';

/** One kind of document: its command, and what it shows of an engine. */
interface IKind {
  command: string;
  /** Part of its widgets' ids. */
  key: string;
  label: string;
  caption: string;
  title: (name: string) => string;
  make: (id: string, name: string) => Widget;
}

const documents: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:documents`,
  description: "Shows an engine's log, history and Spark UI in tabs.",
  autoStart: true,
  requires: [IEngineManager],
  optional: [ITranslator, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    manager: IEngineManager,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(NAMESPACE);
    const api = new Api(app.serviceManager.serverSettings);
    for (const kind of kinds(manager, api, trans)) {
      add(app, manager, trans, restorer, kind);
    }
  }
};

function kinds(manager: IEngineManager, api: Api, trans: TranslationBundle): IKind[] {
  const given = { manager, api, trans };
  const slots = new Slots();
  return [
    {
      command: CommandIDs.logs,
      key: 'logs',
      label: trans.__('Show Log'),
      caption: trans.__("Show an engine's log in a tab, and follow it"),
      title: name => trans.__('Log: %1', name),
      make: (id, name) => new LogsView({ ...given, id, name, slots, save: saveText })
    },
    {
      command: CommandIDs.history,
      key: 'history',
      label: trans.__('Show History'),
      caption: trans.__('Show the history of an engine as a timeline in a tab'),
      title: name => trans.__('History: %1', name),
      make: (id, name) => new HistoryView({ ...given, id, name })
    },
    {
      command: CommandIDs.ui,
      key: 'ui',
      label: trans.__('Show Spark UI'),
      caption: trans.__("Show an engine's Spark UI in a tab: jobs, stages, SQL, executors"),
      title: name => trans.__('Spark UI: %1', name),
      make: (id, name) => new UiView({ ...given, id, name })
    }
  ];
}

/** Add the command of one kind, and restore its tabs after a reload. */
function add(
  app: JupyterFrontEnd,
  manager: IEngineManager,
  trans: TranslationBundle,
  restorer: ILayoutRestorer | null,
  kind: IKind
): void {
  const tracker = new WidgetTracker<MainAreaWidget>({ namespace: `rucat-${kind.key}` });
  app.commands.addCommand(kind.command, {
    label: kind.label,
    caption: kind.caption,
    icon: engineIcon,
    describedBy: { args: argsOf(trans) },
    isEnabled: args => kind.command !== CommandIDs.ui || !isExternal(manager, args),
    execute: async args => {
      const { id, name } = await named(manager, args);
      if (id === null) {
        throw new Error(trans.__('There is no engine %1.', name));
      }
      const there = tracker.find(widget => widget.id === widgetId(kind, id));
      const widget = there ?? open(kind, id, name);
      if (!there) {
        await tracker.add(widget);
      }
      if (!widget.isAttached) {
        app.shell.add(widget, 'main');
      }
      app.shell.activateById(widget.id);
      return widget;
    }
  });
  void restorer?.restore(tracker, {
    command: kind.command,
    args: widget => ({ engine: idOf(widget), name: nameOf(widget) }),
    name: widget => widget.id
  });
}

function open(kind: IKind, id: string, name: string): MainAreaWidget {
  const widget = new MainAreaWidget({ content: kind.make(id, name) });
  widget.id = widgetId(kind, id);
  widget.title.label = kind.title(plain(name, 40));
  widget.title.caption = kind.title(plain(name));
  widget.title.icon = engineIcon;
  widget.title.closable = true;
  widget.title.dataset = { rucatEngine: id, rucatName: name };
  widget.toolbar.hide(); // the content has its own toolbar
  widget.addClass('jp-Rucat-doc');
  return widget;
}

/** Resolve the arguments: a known engine, or id and name of a deleted one. */
async function named(
  manager: IEngineManager,
  args: ReadonlyPartialJSONObject
): Promise<{ id: string | null; name: string }> {
  const ref = String(args.engine ?? '');
  if (!ID.test(ref)) {
    await manager.ready;
  }
  const engine = manager.find(ref);
  const name = engine?.name ?? (typeof args.name === 'string' && args.name ? args.name : ref);
  return { id: engine?.id ?? (ID.test(ref) ? ref : null), name };
}

function isExternal(manager: IEngineManager, args: ReadonlyPartialJSONObject): boolean {
  return manager.find(String(args.engine ?? ''))?.platform === 'external';
}

function argsOf(trans: TranslationBundle): ReadonlyJSONObject {
  return {
    type: 'object',
    required: ['engine'],
    properties: {
      engine: {
        type: 'string',
        description: trans.__('Id or name of the engine; for a deleted engine its id.')
      },
      name: {
        type: 'string',
        description: trans.__('Name to show for a deleted engine.')
      }
    }
  };
}

function widgetId(kind: IKind, id: string): string {
  return `rucat-${kind.key}-${id}`;
}

function idOf(widget: Widget): string {
  return widget.title.dataset.rucatEngine ?? '';
}

function nameOf(widget: Widget): string {
  return widget.title.dataset.rucatName ?? '';
}

/** Pattern of engine ids (rucat_jupyter/core/engine.py: ID_PATTERN). */
const ID = /^[0-9a-f]{16}$/;

export const plugins: JupyterFrontEndPlugin<any>[] = [documents, ...outputs];
