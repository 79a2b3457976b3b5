import {setFlagsFromString} from 'node:v8'
import {runInNewContext} from 'node:vm'

/**
 * Gives memory back that is not used any more, at once. V8 waits until it needs some itself, which it does not know of other
 * processes: after a large piece of work, and before programs that need memory too.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
}
