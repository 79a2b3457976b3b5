import {access, constants} from 'node:fs/promises'

/** Whether this user can reach `path`, and with a `mode` of W_OK also write there. @see access(2) */
export async function isAccessible(path: string, mode: number = constants.F_OK): Promise<boolean> {
  try {
    await access(path, mode)
    return true
  } catch {
    return false
  }
}
