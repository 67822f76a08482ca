// Plans as JSON. A plan is of an engine, and of a version of that engine's plans: one of another version would be
// another run than the one that it was kept for, and is refused.

export interface PlanKind {
  readonly engine: string;
  readonly version: number;
}

const FORMAT = /^zebu-sim\/(\d+)$/;

export function writePlanText({ engine, version }: PlanKind, plan: object): string {
  return `${JSON.stringify({ format: `zebu-sim/${version}`, engine, ...plan }, undefined, 1)}\n`;
}

/** `example` is any plan of this kind: what it has, a plan must have, each of the same type. Throws an Error for the user. */
export function readPlanText<Plan extends object>(
  { engine, version }: PlanKind,
  example: Plan,
  text: string,
): Plan {
  const { format, engine: other, ...plan } = JSON.parse(text) as Record<string, unknown>;
  const found = FORMAT.exec(String(format))?.[1];
  if (found === undefined || other !== engine) {
    throw new Error(`it is a plan of format ${format} for engine ${other}`);
  }
  if (Number(found) !== version) {
    throw new Error(
      `it is of version ${found} of the plans of the ${engine} engine, which reads version ${version}: ` +
        `run it with the simulator of the commit that wrote it, or seed ${plan.seed} anew`,
    );
  }
  for (const [name, value] of Object.entries(example)) {
    if (kindOf(plan[name]) !== kindOf(value)) {
      throw new Error(`its ${name} is ${kindOf(plan[name])}, not ${kindOf(value)}`);
    }
  }
  return plan as Plan;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
