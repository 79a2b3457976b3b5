import type {StartResult} from '../../environments/boot/results.js'

/** Returns a warning about services that failed at the boot; none if all have started. */
export function describeFailedUnits({name, failedUnits}: StartResult): string[] {
  const [first] = failedUnits
  if (first === undefined) return []
  const units = failedUnits.join(', ')
  return [`failed to start: ${units}. To see why: envs logs ${name} --unit ${first}`]
}
