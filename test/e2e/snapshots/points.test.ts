import assert from 'node:assert/strict'
import {type Guest, IDENTITIES, ownGuest} from '../../support/guest.js'
import {layeredTest as test} from '../../support/stacked-layers.js'

for (const {identity, skip} of IDENTITIES) {
  test(`undo takes back session after session, ${identity}`, {skip}, async (t) => {
    const guest = await ownGuest(t, identity)
    await session(guest, 'echo one >/root/one; rm /etc/issue; mkdir -p /opt/a && echo x >/opt/a/x')
    await session(guest, 'rm -r /opt/a; mkdir /opt/a; echo two >/root/two')
    await session(guest, 'rm /root/one; mv /root/two /root/three')
    assert.equal(await seen(guest), 'a: three')
    assert.equal(await undone(guest), 0)
    assert.equal(await seen(guest), 'a: one two')
    assert.equal(await undone(guest), 0)
    assert.equal(await seen(guest), 'a: x one')
    assert.equal(await undone(guest), 0)
    const again = await guest.cli.run('undo', 'play')
    assert.equal(again.status, 3)
    assert.match(again.stderr, /^envs: There is no earlier state of the environment "play"\.\n/)
    assert.equal(await seen(guest), 'issue')
  })

  test(`restore goes to a snapshot and back again, under the name of today, ${identity}`, {
    skip,
  }, async (t) => {
    const guest = await ownGuest(t, identity)
    const {cli} = guest
    await session(guest, 'echo good >/root/state')
    assert.equal((await cli.run('snapshot', 'play', 'good')).stderr, 'Made snapshot good of play.\n')
    await session(guest, 'echo bad >/root/state; echo mallory >>/etc/passwd')
    assert.equal((await cli.run('rename', 'play', 'web')).status, 0)
    const went = JSON.parse((await cli.run('restore', 'web', 'good', '--json')).stdout)
    assert.deepEqual([went.name, went.label, went.isKeptNew], ['web', 'good', true])
    const look = 'cat /root/state /etc/hostname; hostname; grep -c mallory /etc/passwd'
    assert.equal((await cli.run('run', 'web', '--', 'sh', '-c', look)).stdout, 'good\nweb\nweb\n0\n')
    await cli.run('stop', '-f', 'web')
    const back = await cli.run('restore', 'web', went.kept)
    assert.equal(back.status, 0)
    assert.match(
      back.stderr,
      /^web is restored to kept-\d{8}-\d{6}\.\nThe replaced state is snapshot good\.\n$/,
    )
    assert.equal((await cli.run('run', 'web', '--', 'sh', '-c', look)).stdout, 'bad\nweb\nweb\n1\n')
    await cli.run('rm', '-f', 'web')
  })

  test(`reset brings the image with files of the environment's own, ${identity}`, {skip}, async (t) => {
    const guest = await ownGuest(t, identity)
    await session(guest, 'echo x >/root/x; rm -r /etc/apt; chmod 700 /etc')
    const run = JSON.parse((await guest.cli.run('reset', 'play', '--json')).stdout)
    assert.equal(run.label, 'initial')
    const look = 'ls /root; test -d /etc/apt && stat -c %a /etc; cat /etc/hostname; wc -c </etc/machine-id'
    assert.equal((await guest.sh(look)).stdout, '755\nplay\n33\n')
    await guest.cli.run('stop', '-f', 'play')
    assert.equal((await guest.cli.run('restore', 'play', run.kept)).status, 0)
    assert.equal((await guest.sh('cat /root/x; ls -d /etc/apt')).stdout, 'x\n')
  })
}

test('a start that follows one that wrote nothing is no point in time', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await session(guest, 'echo x >/root/x')
  for (const _ of [1, 2, 3]) await session(guest, 'cat /root/x')
  assert.deepEqual(await kinds(guest), ['automatic'])
})

test('snapshots are listed oldest first, with what they hold, and removed by label', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await session(guest, 'head -c 1000000 /dev/urandom >/root/big')
  await guest.cli.run('snapshot', 'play', 'big')
  await session(guest, 'rm /root/big')
  await guest.cli.run('snapshot', 'play', 'small')
  await guest.cli.run('restore', 'play', 'big')
  const [big, small] = JSON.parse((await guest.cli.run('snapshots', 'play', '--json')).stdout)
  assert.deepEqual([big.label, big.kind, big.isLatest, big.heldBytes], ['big', 'manual', true, 0])
  assert.ok(big.changedBytes > 1_000_000)
  assert.deepEqual(
    [small.label, small.isLatest, small.changedBytes === small.heldBytes],
    ['small', false, true],
  )
  const removed = await guest.cli.run('snapshots', 'play', '--remove', 'small', '--remove', 'big')
  assert.equal(removed.stderr, 'Removed the snapshot small.\nRemoved the snapshot big.\n')
  assert.equal((await guest.cli.run('snapshots', 'play', '-q')).stdout, '')
  assert.equal((await guest.sh('stat -c %s /root/big')).stdout, '1000000\n')
})

test('what would change an environment that runs is refused, and done with --force', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  await session(guest, 'echo 1 >/root/file')
  await guest.cli.run('snapshot', 'play', 'there')
  for (const {verb, rest, left} of [
    {verb: 'restore', rest: ['there'], left: '1\n'},
    {verb: 'undo', rest: [], left: '1\n'},
    {verb: 'reset', rest: [], left: ''},
  ]) {
    await guest.sh('echo 2 >/root/file; sleep 300 >/dev/null 2>&1 &')
    const refused = await guest.cli.run(verb, 'play', ...rest)
    assert.equal(refused.status, 4)
    assert.equal(
      refused.stderr,
      `envs: The environment "play" is running.\n  See its processes: envs ps play. Stop them: envs stop play\n  Or have envs stop the environment first: envs ${verb} --force play\n`,
    )
    assert.equal((await guest.run('cat', '/root/file')).stdout, '2\n')
    assert.equal((await guest.cli.run(verb, 'play', ...rest, '--force')).status, 0)
    assert.equal((await guest.sh('cat /root/file || :')).stdout, left)
  }
})

/** Names that the sessions above make and take away, as the guest sees them. */
async function seen(guest: Guest): Promise<string> {
  const {stdout} = await guest.sh(
    'cd /etc; ls -d issue 2>/dev/null; cd /opt; for each in *; do [ -d $each ] && echo $each: $(ls $each); done; ls /root',
  )
  await guest.cli.run('stop', '-f', 'play')
  return stdout.trim().split(/\s+/).join(' ')
}

async function session(guest: Guest, script: string): Promise<void> {
  const run = await guest.sh(script)
  assert.equal(run.status, 0, run.stderr)
  await guest.cli.run('stop', '-f', 'play')
}

async function undone(guest: Guest): Promise<number | null> {
  return (await guest.cli.run('undo', 'play')).status
}

async function kinds(guest: Guest): Promise<string[]> {
  const listed: {kind: string}[] = JSON.parse((await guest.cli.run('snapshots', 'play', '--json')).stdout)
  return listed.map(({kind}) => kind)
}
