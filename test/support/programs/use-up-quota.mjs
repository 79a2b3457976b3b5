// Preloaded into the built program by test/support/used-up-quota.ts: as on a disk whose quota is used up by the file that
// ENVS_TEST_QUOTA_USED names, no file can be written while that one exists.
import fs from 'node:fs'
import {syncBuiltinESMExports} from 'node:module'

const {writeFileSync, existsSync} = fs

fs.writeFileSync = (file, ...rest) => {
  // By descriptor: a file of the store. Others, such as standard output, are written with writeSync.
  if (typeof file !== 'number' || !existsSync(process.env.ENVS_TEST_QUOTA_USED ?? ''))
    return writeFileSync(file, ...rest)
  const code = 'Unknown system error -122'
  throw Object.assign(new Error(`${code}, write`), {code, errno: -122, syscall: 'write'})
}

syncBuiltinESMExports()
