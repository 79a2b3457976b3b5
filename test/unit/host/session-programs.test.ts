import assert from 'node:assert/strict'
import {test} from 'node:test'
import {templatePath} from '../../../src/host/paths.js'
import {capture} from '../../../src/host/process.js'

for (const [program, check] of [
  ['host/session.pl', ['perl', '-Mwarnings', '-c']],
  ['host/join.pl', ['perl', '-Mwarnings', '-c']],
  ['host/join/by-node.pl', ['perl', '-c']],
  ['host/join/plan.pl', ['perl', '-c']],
  ['host/join/notes.pl', ['perl', '-c']],
  ['host/anchor.pl', ['perl', '-c']],
  ['host/program.pl', ['perl', '-c']],
  ['host/attend.pl', ['perl', '-c']],
  ['guest/show-logs.pl', ['perl', '-c']],
  ['host/load-filter.pl', ['perl', '-c']],
  ['host/signal-all.pl', ['perl', '-c']],
  ['host/inspect.pl', ['perl', '-c']],
  ['host/user-namespaces.pl', ['perl', '-c']],
  ['host/session/account.pl', ['perl', '-c']],
  ['host/session/caller-terminal.pl', ['perl', '-c']],
  ['host/session/relay.pl', ['perl', '-c']],
  ['host/session/terminal.pl', ['perl', '-c']],
  ['host/session/streams.pl', ['perl', '-c']],
  ['host/session/volumes.pl', ['perl', '-c']],
  ['host/session/single-id.pl', ['perl', '-c']],
  ['host/namespaces/second-namespace.pl', ['perl', '-c']],
  ['host/keeper.sh', ['sh', '-n']],
  ['host/namespaces/map-ids.pl', ['perl', '-c']],
  ['host/files/set-capability.pl', ['perl', '-c']],
  ['host/files/list-layer.pl', ['perl', '-c']],
  ['host/files/squash.pl', ['perl', '-c']],
  ['host/files/copy-tree.pl', ['perl', '-c']],
  ['guest/holder.sh', ['sh', '-n']],
  ['guest/init.sh', ['sh', '-n']],
  ['guest/proot-session.sh', ['sh', '-n']],
  ['guest/notes.bash', ['bash', '-n']],
  ['rootfs/apt/apt-http', ['sh', '-n']],
  ['rootfs/apt/apt-http.pl', ['perl', '-c']],
] as const) {
  test(`${program} compiles without a warning`, async () => {
    const path = templatePath(program)
    const {status, stderr} = await capture([...check, path])
    assert.equal(status, 0, stderr)
    assert.equal(stderr, check[0] === 'perl' ? `${path} syntax OK\n` : '')
  })
}
