import {constants} from 'node:os'
import {getSystemErrorMap} from 'node:util'

/** An error as Node makes it of a system call that failed. */
export function systemError(name: keyof typeof constants.errno, details: {path?: string} = {}): Error {
  const errno = -constants.errno[name]
  const code = getSystemErrorMap().get(errno)?.[0] ?? `Unknown system error ${errno}`
  return Object.assign(new Error(`${code}: a test`), {code, errno, syscall: 'write', ...details})
}
