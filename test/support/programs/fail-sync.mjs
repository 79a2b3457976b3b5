// Preloaded into the built program by test/support/failing-sync.ts: fsync(2) of folders of one name fails, as on a disk
// that is not well, when what was renamed into them is there already.
import fs from 'node:fs'
import {syncBuiltinESMExports} from 'node:module'
import {basename} from 'node:path'

const {fsync, readlinkSync} = fs

fs.fsync = (fd, done) => {
  if (basename(readlinkSync(`/proc/self/fd/${fd}`)) !== process.env.ENVS_FAILING_SYNC) return fsync(fd, done)
  const error = Object.assign(new Error('EIO: i/o error, fsync'), {code: 'EIO', errno: -5, syscall: 'fsync'})
  process.nextTick(done, error)
}

syncBuiltinESMExports()
