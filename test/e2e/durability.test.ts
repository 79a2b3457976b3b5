import assert from 'node:assert/strict'
import {mkdir, readFile, rm, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {debArchitecture} from '../../src/host/machine/arch.js'
import {type Ran, runCli} from '../support/cli.js'
import {environmentCli} from '../support/environment-cli.js'
import {type Guest, IDENTITIES, sharedGuest} from '../support/guest.js'
import {ABI} from '../support/syscall-numbers.js'
import {tarArchive, tarMember} from '../support/tar-archive.js'
import {tinyRootfs} from '../support/tiny-rootfs.js'

const {fsync} = ABI[debArchitecture(process.arch)]

/** A descriptor that is not open: a sync that reaches the kernel fails. */
const PROBE = `perl -e 'print syscall(${fsync}, 999) == 0 ? "elided" : "real"'`

const INSTALL = 'DEBIAN_FRONTEND=noninteractive apt-get -qq install --reinstall'
/** Where the packages' scripts write down what they saw, and our sync(1) how it was called. */
const [SEEN, SYNCS] = ['/var/lib/probe-seen', '/var/lib/probe-syncs']

/** Makes packages whose scripts look, and for one of them fail then. */
const MAKE_PACKAGES = `
for name in probe other broken; do
  mkdir -p /build/$name/DEBIAN
  printf 'Package: %s\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody\\nDescription: x\\n' $name \\
    >/build/$name/DEBIAN/control
  cat >/build/$name/DEBIAN/postinst <<'END'
#!/bin/sh
echo "$DPKG_MAINTSCRIPT_PACKAGE $(${PROBE} || echo unknown)" >>${SEEN}
[ "$DPKG_MAINTSCRIPT_PACKAGE" != broken ]
END
  chmod 755 /build/$name/DEBIAN/postinst
  dpkg-deb --build /build/$name /$name.deb || exit
done`

/** Stands before sync(1) in APT's PATH too, and writes down how it was called, and what a sync was worth there. */
const WATCH_SYNC = `cat >/usr/sbin/sync <<'END'
#!/bin/sh
echo "$* $(${PROBE})" >>${SYNCS}
exec /usr/bin/sync "$@"
END
chmod 755 /usr/sbin/sync`

/** The sync that nobody waits for, once everything is unpacked, and the one that ends the change. */
const [EARLY, CLOSING] = ['-f /var/lib/dpkg real', '-f /var/lib/dpkg real']

/** What APT says to dpkg, and what it may be made to say by DPkg::Options. */
const QUESTIONS = [
  '--print-foreign-architectures',
  '--assert-multi-arch',
  '--set-selections',
  '--status-fd 7 --audit',
  '--get-selections configure',
]
const CHANGES = [
  '--status-fd 7 --no-triggers --unpack --auto-deconfigure /x.deb',
  '--status-fd 7 --configure --pending',
  '--force-depends --remove a:all b',
  '--purge a',
  '--triggers-only --pending',
  '--install /x.deb',
  '-i /x.deb',
  '-r a',
  '-P a',
]

/** What the scripts of packages saw, and how sync(1) was called, while `script` ran. */
async function observe(guest: Guest, script: string, env: Readonly<Record<string, string>> = {}) {
  const ran = await guest.runWith({env}, 'sh', '-c', `: >${SEEN}; : >${SYNCS}; ${script}`)
  const linesOf = async (path: string) => (await guest.run('cat', path)).stdout.split('\n').slice(0, -1)
  return {ran, seen: await linesOf(SEEN), syncs: await linesOf(SYNCS)}
}

async function writeSettings(t: TestContext, {cli}: Guest, settings: Readonly<Record<string, string>>) {
  t.after(() => rm(cli.configFile, {force: true}))
  await mkdir(dirname(cli.configFile), {recursive: true})
  await writeFile(cli.configFile, JSON.stringify(settings))
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)
  let prepared: Promise<Ran> | undefined
  const prepare = async () => {
    const guest = await play()
    prepared ??= guest.sh(`${MAKE_PACKAGES}\n${WATCH_SYNC}`)
    const {status, stderr} = await prepared
    assert.equal(status, 0, stderr)
    return guest
  }

  test(`${identity}: what a session syncs is synced`, {skip}, async () => {
    const {sh, runWith} = await play()
    assert.equal((await sh(PROBE)).stdout, 'real')
    assert.equal((await runWith({flags: ['-u', 'games']}, 'sh', '-c', PROBE)).stdout, 'real')
  })

  test(`${identity}: APT's packages are installed without syncs, one is begun when all is unpacked, and one ends it`, {
    skip,
  }, async () => {
    const {ran, seen, syncs} = await observe(await prepare(), `${INSTALL} /probe.deb /other.deb`)
    assert.equal(ran.status, 0, ran.stderr)
    assert.deepEqual(seen.sort(), ['other elided', 'probe elided'])
    assert.deepEqual(syncs, [EARLY, CLOSING])
  })

  test(`${identity}: what dpkg installs by hand is synced`, {skip}, async () => {
    const {ran, seen, syncs} = await observe(await prepare(), 'dpkg -i /probe.deb')
    assert.deepEqual([ran.status, seen, syncs], [0, ['probe real'], []])
  })

  test(`${identity}: a sync ends also what has failed`, {skip}, async () => {
    const {ran, seen, syncs} = await observe(
      await prepare(),
      `${INSTALL} /broken.deb; status=$?; dpkg --purge broken; exit $status`,
    )
    assert.equal(ran.status, 100)
    assert.deepEqual(seen, ['broken elided'])
    assert.deepEqual(syncs, [EARLY, CLOSING])
  })

  test(`${identity}: with durable always, APT's packages are synced as they are installed`, {
    skip,
  }, async (t) => {
    const guest = await prepare()
    const byVariable = await observe(guest, `${INSTALL} /probe.deb`, {ENVS_DURABLE: 'always'})
    assert.deepEqual([byVariable.ran.status, byVariable.seen], [0, ['probe real']])

    await writeSettings(t, guest, {durable: 'always'})
    const byFile = await observe(guest, `${INSTALL} /probe.deb`)
    assert.deepEqual([byFile.ran.status, byFile.seen], [0, ['probe real']])
  })

  test(`${identity}: with durable never, nothing is synced by any session`, {skip}, async () => {
    const guest = await prepare()
    const env = {ENVS_DURABLE: 'never'}
    assert.equal((await guest.runWith({env}, 'sh', '-c', PROBE)).stdout, 'elided')
    assert.equal((await guest.runWith({env, flags: ['-u', 'games']}, 'sh', '-c', PROBE)).stdout, 'elided')
    assert.equal((await guest.cli.runWith({env, input: PROBE}, 'enter', 'play')).stdout, 'elided')

    const {ran, seen, syncs} = await observe(guest, `${INSTALL} /probe.deb`, env)
    assert.deepEqual([ran.status, seen, syncs], [0, ['probe elided'], []])
    assert.equal((await guest.sh(PROBE)).stdout, 'real')
  })

  test(`${identity}: an environment that is started with durable never is whole for the next session`, {
    skip,
  }, async () => {
    const guest = await play()
    await guest.cli.run('stop', 'play')
    assert.equal((await guest.runWith({env: {ENVS_DURABLE: 'never'}}, 'sh', '-c', PROBE)).stdout, 'elided')
    assert.equal((await guest.sh(PROBE)).stdout, 'real')
  })

  for (const [what, spoil, mend, expected] of [
    ['perl is not there', 'mv $perl $perl.away', 'mv $perl.away $perl', 'unknown'],
    [
      'perl does not run',
      "mv $perl $perl.away; printf '#!/bin/sh\\nexit 1\\n' >$perl; chmod 755 $perl",
      'mv $perl.away $perl',
      'unknown',
    ],
    ['the filter is damaged', 'mv $filter $filter.away; : >$filter', 'mv $filter.away $filter', 'real'],
    ['packages may start services', 'mv $policy $policy.away', 'mv $policy.away $policy', 'real'],
  ] as const) {
    test(`${identity}: where ${what}, APT installs as durably as ever`, {skip}, async () => {
      const guest = await prepare()
      const names = 'perl=/usr/bin/perl filter=/usr/lib/envs/sync.bpf policy=/usr/sbin/policy-rc.d'
      const script = `${names}; ${spoil}; ${INSTALL} /probe.deb; status=$?; ${mend}; exit $status`
      const {ran, seen} = await observe(guest, script)
      assert.equal(ran.status, 0, ran.stderr)
      assert.deepEqual(seen, [`probe ${expected}`])
    })
  }

  test(`${identity}: only what changes packages goes to dpkg under the filter`, {skip}, async (t) => {
    const guest = await play()
    t.after(() => guest.run('mv', '/usr/bin/dpkg.away', '/usr/bin/dpkg').then(() => {}))
    const standIn = `#!/bin/sh\necho "$(${PROBE}) $*"\n`
    const script = 'mv /usr/bin/dpkg /usr/bin/dpkg.away && cat >/usr/bin/dpkg && chmod 755 /usr/bin/dpkg'
    assert.equal((await guest.runWith({input: standIn}, 'sh', '-c', script)).status, 0)

    const calls = [...QUESTIONS, ...CHANGES].map((words) => `/usr/lib/envs/dpkg ${words}\n`).join('')
    const {stdout} = await guest.sh(calls)
    assert.deepEqual(stdout.split('\n').slice(0, -1), [
      ...QUESTIONS.map((words) => `real ${words}`),
      ...CHANGES.map((words) => `elided --force-unsafe-io ${words}`),
    ])
  })
}

const shell = sharedGuest('emulated')

for (const lane of ['run play true', 'run -u games play true', 'enter play', 'enter -u games play']) {
  test(`${lane}: a value that durable can not have is refused before the guest runs`, async (t) => {
    const guest = await shell()
    const byVariable = await guest.cli.runWith({env: {ENVS_DURABLE: 'often'}}, ...lane.split(' '))
    assert.deepEqual([byVariable.status, byVariable.stdout], [125, ''])
    assert.equal(
      byVariable.stderr,
      'envs: ENVS_DURABLE cannot be "often": it must be one of: auto, always, never.\n',
    )

    await writeSettings(t, guest, {durable: 'often'})
    const byFile = await guest.cli.run(...lane.split(' '))
    assert.equal(byFile.status, 125)
    assert.ok(byFile.stderr.includes(`durable in ${guest.cli.configFile} cannot be "often"`), byFile.stderr)
  })
}

for (const [durable, expected] of [
  ['auto', /^-f \S+\n$/],
  ['always', /^-f \S+\n$/],
  ['never', /^$/],
] as const) {
  test(`durable ${durable}: a new environment is synced ${durable === 'never' ? 'by nobody' : 'once'}`, async (t) => {
    const cli = await environmentCli(t)
    const [programs, calls] = [join(cli.home, 'programs'), join(cli.home, 'calls')]
    await mkdir(programs)
    await writeFile(calls, '')
    await writeFile(join(programs, 'sync'), `#!/bin/sh\necho "$*" >>${calls}\n`, {mode: 0o755})
    const env = {ENVS_DURABLE: durable, PATH: `${programs}:${cli.env['PATH']}`}
    const {path} = await tinyRootfs(t)
    const made = await cli.runWith({env}, 'create', path, '-n', 'tiny', '--identity', 'emulated')
    assert.equal(made.status, 0, made.stderr)
    assert.match(await readFile(calls, 'utf8'), expected)
  })
}

test('a large tree is on its way to the disk while it is unpacked', async (t) => {
  const cli = await environmentCli(t)
  const [programs, calls] = [join(cli.home, 'programs'), join(cli.home, 'calls')]
  await mkdir(programs)
  // How much of the tree is there when it is called.
  const seen = `find ${join(cli.data, 'environments')} -name 'file-*' | wc -l`
  await writeFile(join(programs, 'sync'), `#!/bin/sh\n${seen} >>${calls}\n`, {mode: 0o755})
  const archive = join(cli.home, 'large.tar')
  const data = Buffer.alloc(2 ** 24)
  const members = Array.from({length: 12}, (_, index) => tarMember({name: `file-${index}`, data}))
  await writeFile(archive, tarArchive(...members))
  // Its last member comes once a sync was seen, or much too late for one.
  const memberBytes = data.length + 512
  const feed = `
    for index in 0 1 2 3 4 5 6 7 8 9 10; do
      dd if=${archive} bs=${memberBytes} skip=$index count=1 status=none; sleep 0.15
    done
    for try in $(seq 300); do [ -s ${calls} ] && break; sleep 0.1; done
    dd if=${archive} bs=${memberBytes} skip=11 status=none`
  const flags = ['-n', 'large', '--identity', 'emulated', '--storage', 'directory']
  const piped = ['sh', '-c', `(${feed}\n) | "$@"`, 'sh', ...cli.words, 'create', '-', ...flags]
  const options = {env: {PATH: `${programs}:${cli.env['PATH']}`}}
  const made = await runCli(piped, {...cli, options})
  assert.equal(made.status, 0, made.stderr)
  const counts = (await readFile(calls, 'utf8')).trim().split('\n').map(Number)
  assert.equal(counts.at(-1), 12)
  assert.ok(counts.length > 2, `${counts.length} syncs`)
  assert.ok((counts[0] ?? 12) < 12, `the first with ${counts[0]} files`)
})
