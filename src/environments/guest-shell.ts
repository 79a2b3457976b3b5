import {lstatSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno} from '../host/errno.js'

/** Where a shell can lie that /bin/sh leads to: /bin is a link to usr/bin in most trees. */
const PLACES = ['bin/sh', 'usr/bin/sh']

/** Whether a tree lacks the shell that the first process of an environment is. @param folders - Its layers, the top first. */
export function lacksShell(folders: readonly string[]): boolean {
  return PLACES.every((place) => isMissing(folders, place))
}

function isMissing(folders: readonly string[], place: string): boolean {
  for (const folder of folders) {
    try {
      // A layer has a device in the place of what it removes.
      return lstatSync(join(folder, place)).isCharacterDevice()
    } catch (error) {
      if (isErrno(error, 'EACCES')) return false
      if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
    }
  }
  return true
}
