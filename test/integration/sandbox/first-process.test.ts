import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../../src/host/paths.js'
import {capture} from '../../../src/host/process.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const INIT = readFileSync(join(packageRoot(), 'templates', 'guest', 'init.sh'), 'utf8')

/** The wait of dash 0.5.10, of Ubuntu 20.04: it ends when a child is stopped by a signal. */
const EARLY_WAIT = `early=yes
wait() {
  if [ -n "$early" ]; then
    early=
    return 128
  fi
  command wait "$@"
}
`

for (const [shell, prefix] of [
  ['the shell of this host', ''],
  ['a shell whose wait ends when a child is stopped', EARLY_WAIT],
] as const) {
  test(`pid 1 of an environment lives as long as its holder, with ${shell}`, async (t) => {
    const mark = join(await temporaryFolder(t), 'ended')
    const script = `${prefix}${INIT}\ntest -e "$0"`
    const {status} = await capture(['/bin/sh', '-c', script, mark, 'sleep 0.3; : >"$0"'])
    assert.equal(status, 0)
  })
}
