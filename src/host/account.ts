import {userInfo} from 'node:os'

/** The login name of this process's user, or undefined when the host knows none for its id. */
export function accountName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    // A container may run as an id that /etc/passwd doesn't list; getpwuid(3) then finds nothing.
    return undefined
  }
}
