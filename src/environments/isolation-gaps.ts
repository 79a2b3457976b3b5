import type {EngineName} from '../sandbox/engines/choice.js'

/**
 * What the wall between an environment and the host does not hold off.
 *
 * `host-files`: a program inside can reach every file of the user.
 */
export type IsolationGap = 'host-files'

/** Returns the gaps of an engine; none of one that isolates as docs/security-model.md says. */
export function isolationGaps(engine: EngineName | null): IsolationGap[] {
  return engine === 'proot' ? ['host-files'] : []
}
