import type {SessionContext} from '../../features/feature.js'
import {shownLimits, unenforced} from '../../sandbox/limits/limits.js'
import type {RunningLimits} from '../../sandbox/limits/schema.js'

/** Tells of limits that the kernel does not enforce for the whole environment: once, when it starts. */
export function tellOfLimits(
  {environment: {name}, onNotice}: SessionContext,
  limits: Pick<RunningLimits, 'values' | 'enforced'> | undefined,
): void {
  if (limits === undefined || unenforced(limits).length === 0) return
  onNotice?.({kind: 'limits', name, limits: shownLimits(limits)})
}
