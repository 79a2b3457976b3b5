import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdtemp, readdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {openHost} from '../../../src/host/host.js'
import {environmentCli} from '../../support/environment-cli.js'
import {startGroup} from '../../support/process-group.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

test('the folder of a trial stays as long as its command lives, and goes with the next one when that was killed', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const [reached, shut] = [join(cli.home, 'reached'), join(cli.home, 'shut')]
  const programs = await mkdtemp(join(cli.home, 'programs-'))
  await writeFile(shut, '')
  await writeFile(join(programs, 'bwrap'), waitingInTrials(reached, shut), {mode: 0o755})
  const trials = async () => {
    const names = await readdir(join(cli.data, 'layers')).catch(() => [])
    return names.filter((name) => name.startsWith('.trial.'))
  }
  const env = {PATH: `${programs}:${cli.env['PATH']}`}
  const making = startGroup(cli, ['create', path, '--identity', 'emulated', '-n', 'play', '-q'], env)
  await waitUntil('a trial of layers', () => existsSync(reached))
  const living = await trials()
  assert.equal(living.length, 1)
  assert.equal((await cli.run('prune', '--yes')).status, 0)
  assert.deepEqual(await trials(), living)

  making.signalGroup('SIGKILL')
  await making.ended
  assert.equal((await cli.run('prune', '--yes')).status, 0)
  assert.deepEqual(await trials(), [])
})

/** The host's own bwrap, which waits before a trial as long as there is a file. */
function waitingInTrials(reached: string, shut: string): string {
  return `#!/bin/sh
case "$*" in *.trial.*) : >'${reached}'; while [ -e '${shut}' ]; do sleep 0.01; done ;; esac
exec '${openHost().which('bwrap')}' "$@"
`
}
