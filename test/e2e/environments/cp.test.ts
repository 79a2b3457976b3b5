import assert from 'node:assert/strict'
import {lstat, mkdir, mkdtemp, readFile, readlink, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {type Guest, IDENTITIES, sharedGuest} from '../../support/guest.js'
import {assertDocumented} from '../../support/json-schema.js'

const TREE = `
rm -rf /srv/tree && mkdir -p /srv/tree/sub && cd /srv/tree && printf of-guest >sub/file && ln sub/file hard && ln -s /etc/passwd link
mkfifo fifo && chmod 4755 hard && touch -d @86400 sub/file && chmod 555 sub`

async function hostFolder({cli}: Guest): Promise<string> {
  return mkdtemp(join(cli.home, 'cp-'))
}

/** A folder with a file, a folder and a link. */
async function hostTree(play: Guest): Promise<string> {
  const tree = join(await hostFolder(play), 'tree')
  await mkdir(join(tree, 'sub'), {recursive: true})
  await writeFile(join(tree, 'sub', 'file'), 'of-host')
  await symlink('sub/file', join(tree, 'link'))
  return tree
}

for (const {identity, skip} of IDENTITIES) {
  const guest = sharedGuest(identity)

  test(`${identity}: a folder that comes out of a stopped environment is the caller's`, {skip}, async () => {
    const play = await guest()
    await play.sh(TREE)
    await play.cli.run('stop', 'play')
    const folder = await hostFolder(play)
    const ran = await play.cli.run('cp', '--json', 'play:/srv/tree', folder)
    assert.equal(ran.status, 0, ran.stderr)
    assert.equal(ran.stderr, 'envs: warning: Left out: 1 (devices, sockets and FIFOs).\n')
    const numbers = {files: 2, folders: 2, links: 1, bytes: 8, skipped: 1}
    assert.deepEqual(JSON.parse(ran.stdout), {from: 'play:/srv/tree', to: folder, ...numbers})
    await assertDocumented('cp', JSON.parse(ran.stdout))
    const file = await lstat(join(folder, 'tree/sub/file'))
    assert.deepEqual([file.uid, file.mode & 0o7777, file.mtimeMs], [process.getuid?.(), 0o755, 86_400_000])
    assert.equal((await lstat(join(folder, 'tree/hard'))).ino, file.ino)
    assert.equal(await readFile(join(folder, 'tree/hard'), 'utf8'), 'of-guest')
    assert.equal(await readlink(join(folder, 'tree/link')), '/etc/passwd')
    assert.equal((await lstat(join(folder, 'tree/sub'))).mode & 0o777, 0o555)
    await play.onHost(`chmod 755 ${folder}/tree/sub`)
  })

  test(`${identity}: files that go in are root's, or the user's`, {skip}, async () => {
    const play = await guest()
    const tree = await hostTree(play)
    const go = async (...argv: string[]) => assert.equal((await play.cli.run('cp', ...argv)).status, 0)
    await play.sh('rm -rf /srv/in && mkdir /srv/in')
    await go(tree, 'play:/srv/in')
    await go(`${tree}/.`, 'play:/srv/in/new')
    await go(join(tree, 'sub/file'), 'play:/srv/in/tree/sub/file')
    await go('--user', 'games', tree, 'play:/tmp/of-games')
    const {stdout} = await play.sh(
      'cd /srv/in && find . ! -name . -printf "%p %u %l\\n" | sort; stat -c "%n %U" /tmp/of-games /tmp/of-games/sub/file; cat new/link; rm -r /tmp/of-games',
    )
    // With one uid, the files of all users look their own to each of them.
    const games = identity === 'mapped' ? 'games' : 'root'
    assert.deepEqual(stdout.split('\n'), [
      ...['./new root ', './new/link root sub/file', './new/sub root ', './new/sub/file root '],
      ...['./tree root ', './tree/link root sub/file', './tree/sub root ', './tree/sub/file root '],
      ...[`/tmp/of-games ${games}`, `/tmp/of-games/sub/file ${games}`, 'of-host'],
    ])
  })

  test(`${identity}: a large file and many small ones arrive, without a word`, {skip}, async () => {
    const play = await guest()
    const folder = join(await hostFolder(play), 'many')
    await mkdir(folder)
    await writeFile(join(folder, 'large'), Buffer.alloc(8 * 2 ** 20, 'envs'))
    for (let number = 0; number < 500; number++) await writeFile(join(folder, `small-${number}`), `${number}`)
    const gone = await play.cli.run('cp', '--quiet', folder, 'play:/srv')
    assert.deepEqual([gone.status, gone.stdout, gone.stderr], [0, '', ''])
    const back = await play.cli.run('cp', '--quiet', 'play:/srv/many', `${folder}-back`)
    assert.deepEqual([back.status, back.stdout, back.stderr], [0, '', ''])
    const {status, stdout} = await play.onHost(`diff -r ${folder} ${folder}-back`)
    assert.deepEqual([status, stdout], [0, ''])
    await play.sh('rm -r /srv/many')
  })

  test(`${identity}: files go from one environment to another, and through tar archives`, {
    skip,
  }, async () => {
    const play = await guest()
    await play.sh(TREE)
    assert.equal((await play.cli.run('clone', 'play', 'other')).status, 0)
    try {
      const direct = await play.cli.run('cp', 'play:/srv/tree', 'other:/opt')
      assert.equal(direct.status, 0, direct.stderr)
      const piped = await play.onHost('envs cp play:/srv/tree/sub - | envs cp - other:/opt')
      assert.equal(piped.status, 0, piped.stderr)
      const {stdout} = await play.cli.run(
        'run',
        'other',
        'sh',
        '-c',
        'cd /opt; cat tree/hard sub/file; stat -c %U tree',
      )
      assert.equal(stdout, 'of-guestof-guestroot\n')
    } finally {
      await play.cli.run('rm', '--force', 'other')
    }
  })

  test(`${identity}: a guest that swaps a folder for a link reaches nothing of the host`, {
    skip,
  }, async () => {
    const play = await guest()
    const folder = await hostFolder(play)
    const [share, secret] = [join(folder, 'share'), join(folder, 'secret')]
    for (const path of [join(share, 'sub'), secret]) await mkdir(path, {recursive: true})
    await writeFile(join(secret, 'file'), 'secret')
    await writeFile(join(share, 'sub/file'), 'open')
    await play.sh('rm -rf /srv/out /srv/tree; mkdir -p /srv/tree/sub; echo x >/srv/tree/sub/file')
    const swap = `cd /data; echo ready; while :; do mv sub kept; ln -s ${secret} sub; rm -f sub; mv kept sub; done`
    const swapping = play.start('run', '--volume', `${share}:/data`, 'play', 'sh', '-c', swap)
    const hasEnded = new Promise((resolve) => swapping.once('close', resolve))
    try {
      await new Promise((resolve) => swapping.stdout?.once('data', resolve))
      for (let round = 0; round < 3; round++) {
        // Either may find no folder at that moment: what counts is what they never do.
        await play.cli.run('cp', `${share}/.`, 'play:/srv/out')
        await play.cli.run('cp', 'play:/srv/tree/.', share)
      }
    } finally {
      swapping.kill('SIGTERM')
      await hasEnded
    }
    const {stdout} = await play.sh('grep -rl secret /srv/out; true')
    assert.equal(stdout, '')
    assert.deepEqual([await readFile(join(secret, 'file'), 'utf8')], ['secret'])
  })
}

const mistakes = sharedGuest('emulated')

for (const [what, argv, status, first] of [
  ['a path that is missing', ['play:/nowhere', '.'], 3, 'There is no file or folder "play:/nowhere".'],
  [
    'a file of the host that is missing',
    ['nowhere', 'play:/tmp'],
    3,
    'There is no file or folder "nowhere".',
  ],
  ['an environment that is missing', ['web:/etc/passwd', '.'], 3, 'There is no environment "web".'],
  ['a name with a colon that is none', ['a:b', './c'], 3, 'There is no environment "a".'],
  ['a folder that is missing', ['play:/etc/passwd', 'no/x'], 3, 'The folder for "no/x" does not exist.'],
  [
    'a folder with a slash that is missing',
    ['play:/etc/passwd', 'no/'],
    3,
    'The folder for "no/" does not exist.',
  ],
  [
    'a folder that is missing inside',
    ['note', 'play:/no/x'],
    3,
    'The folder for "play:/no/x" does not exist.',
  ],
  [
    'a file in the place of a folder',
    ['play:/etc/apt', 'note'],
    4,
    'Could not copy to "note": a file has the name of a folder, or a folder that of a file.',
  ],
  [
    'a link as the target',
    ['play:/etc/passwd', 'link'],
    4,
    'Could not copy to "link": it is a link, which a program in an environment may have made.',
  ],
  ['two files of the host', ['./note', './other'], 2, 'Neither SOURCE nor TARGET is in an environment.'],
  ['no path', ['play:', '.'], 2, '"play:" has no path.'],
] as const) {
  test(`${what} is refused`, async () => {
    const {cli} = await mistakes()
    await writeFile(join(cli.home, 'note'), 'x')
    await symlink('run', join(cli.home, 'link')).catch(() => {})
    const ran = await cli.run('cp', ...argv)
    assert.equal(ran.status, status, ran.stderr)
    assert.ok(ran.stderr.split('\n').includes(`envs: ${first}`), ran.stderr)
  })
}

test('a file whose name has a colon is one with a folder in front', async () => {
  const {cli} = await mistakes()
  await writeFile(join(cli.home, 'a:b'), 'colon')
  assert.equal((await cli.run('cp', './a:b', 'play:/tmp')).status, 0)
  assert.equal((await cli.run('run', 'play', 'cat', '/tmp/a:b')).stdout, 'colon')
})
