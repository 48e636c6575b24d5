import type { PlanView, Streamed } from '../../server/client/index.ts';
import type { Session } from '../session.ts';

/** What a dry run found. */
export function printPlan(session: Session, plan: Streamed<PlanView>): number {
  if (session.json) {
    session.printJson(plan);
    return 0;
  }
  const { style } = session;
  if (plan.unchanged) session.print(`${plan.project} is up to date: nothing to do\n`);
  for (const warning of plan.warnings) session.print(`${style.yellow('!')} ${warning}\n`);
  for (const step of plan.steps) {
    session.print(`${String(step.index + 1).padStart(3)}  ${step.title} ${style.dim(`(${step.cause})`)}\n`);
  }
  return 0;
}
