/**
 * The content of the create dialog: loading, failed, or the form.
 */
import { VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IEngine } from '../tokens';
import { ProfileCards } from './cards';
import { Fields } from './form';
import type { CreateModel } from './model';
import { plannedWords } from './planline';
import { PROFILE } from './refusals';

/** Body of the dialog; its value is the created engine. */
export class CreateBody extends VDomRenderer<CreateModel> {
  constructor(model: CreateModel) {
    super(model);
    this.addClass('jp-Rucat-create');
  }

  /** The created engine. */
  engine: IEngine | null = null;

  getValue(): IEngine {
    return this.engine!;
  }

  protected override render(): JSX.Element {
    return <Body model={this.model} />;
  }
}

function Body({ model }: { model: CreateModel }): JSX.Element {
  const { loading, trans } = model;
  switch (loading.kind) {
    case 'loading':
      return (
        <div className="jp-Rucat-createLoading" role="status">
          <span className="jp-Rucat-createSpinner" aria-hidden="true" />
          {trans.__('Loading profiles…')}
        </div>
      );
    case 'failed':
      return <Failed message={loading.message} model={model} />;
    case 'ready':
      return <Ready model={model} />;
  }
}

function Failed({ message, model }: { message: string; model: CreateModel }): JSX.Element {
  const { trans } = model;
  return (
    <div className="jp-Rucat-createFailed">
      <div role="alert">
        <strong>{trans.__('Cannot load the profiles.')}</strong>
        <p>{message}</p>
      </div>
      <button type="button" className="jp-mod-styled" onClick={() => void model.load()}>
        {trans.__('Try again')}
      </button>
    </div>
  );
}

function Ready({ model }: { model: CreateModel }): JSX.Element {
  const { trans, profiles, profile } = model;
  const area = React.useRef<HTMLDivElement>(null);
  const { refusals } = model;
  React.useEffect(() => {
    area.current?.querySelector<HTMLElement>('input[type="radio"]:checked')?.focus();
  }, []);
  React.useEffect(() => {
    if (refusals > 0) {
      area.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
    }
  }, [refusals]);
  return (
    <>
      <div className="jp-Rucat-createScroll" ref={area}>
        <ProfileCards
          profiles={profiles!}
          chosen={profile?.name ?? ''}
          wrong={model.wrong[PROFILE] ?? ''}
          choose={name => model.choose(name)}
          trans={trans}
        />
        {profile ? (
          <Fields model={model} />
        ) : (
          <p role="alert">
            {trans.__(
              'No profile is available. Correct the profile files, then open this dialog again.'
            )}
          </p>
        )}
      </div>
      <div role="alert" className="jp-Rucat-createProblems">
        {model.problems.map(problem => (
          <div key={problem} className="jp-Rucat-createError">
            {problem}
          </div>
        ))}
      </div>
      <PlanLine model={model} />
    </>
  );
}

/** The resources that the engine will request. */
function PlanLine({ model }: { model: CreateModel }): JSX.Element {
  const { planned, wrong, trans } = model;
  const words = plannedWords(planned, wrong, path => model.label(path), trans);
  return (
    <div className="jp-Rucat-createPlan" role="status" data-kind={planned.kind}>
      <div className="jp-Rucat-createPlanLine">{words.line}</div>
      {words.warnings.map(warning => (
        <div key={warning} className="jp-Rucat-createWarning">
          {warning}
        </div>
      ))}
    </div>
  );
}
