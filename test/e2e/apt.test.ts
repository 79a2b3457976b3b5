import assert from 'node:assert/strict'
import {test} from 'node:test'
import {environmentCli, whyNotMapped} from '../support/environment-cli.js'
import {seededRootfs} from '../support/seeded-image.js'

const INSTALL =
  'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y hello openssh-server'

for (const identity of ['emulated', 'mapped'] as const) {
  test(`APT installs packages with users and services of their own, ${identity}`, async (t) => {
    const reason = identity === 'mapped' ? await whyNotMapped() : undefined
    if (reason !== undefined) return t.skip(reason)
    const cli = await environmentCli(t)
    await cli.run('create', await seededRootfs(cli, identity), '--name', 'play', '--identity', identity)
    const installed = await cli.run('run', 'play', 'sh', '-c', INSTALL)
    assert.equal(installed.status, 0, installed.stdout + installed.stderr)

    const hello = await cli.run('run', 'play', 'hello')
    assert.deepEqual([hello.status, hello.stdout], [0, 'Hello, world!\n'])
    const audit = await cli.run('run', 'play', 'dpkg', '--audit')
    assert.deepEqual([audit.status, audit.stdout], [0, ''])
    const broken = await cli.run('run', 'play', 'apt-get', '-qq', 'check')
    assert.deepEqual([broken.status, broken.stdout], [0, ''])

    const owners = await cli.run('run', 'play', 'stat', '-c', '%U:%G %a', '/etc/shadow', '/etc/ssh')
    const group = identity === 'mapped' ? 'shadow' : 'root'
    assert.deepEqual(owners.stdout.split('\n'), [`root:${group} 640`, 'root:root 755', ''])
    assert.equal((await cli.run('run', 'play', 'sshd', '-t')).status, 0)
    assert.deepEqual((await cli.run('ps', 'play', '-q')).stdout, '')
  })
}
