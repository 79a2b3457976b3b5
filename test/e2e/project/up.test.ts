import assert from 'node:assert/strict'
import {chmod, mkdir, readFile, rm, symlink, utimes, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {test} from 'node:test'
import {type Ran, runCli, type SandboxedCli, WITH_TRASH} from '../../support/cli.js'
import {environmentCli} from '../../support/environment-cli.js'
import {fileScope} from '../../support/file-scope.js'
import {IDENTITIES} from '../../support/guest.js'
import {seededRootfs} from '../../support/seeded-image.js'

type Plan = {
  readonly action: string
  readonly layers: readonly {readonly title: string; readonly key: string; readonly isKnown: boolean}[]
}

/** A project in a folder of its own, with a store that the tests of one identity share. */
type Project = {
  readonly folder: string
  write(path: string, text: string): Promise<void>
  envs(...argv: readonly string[]): Promise<Ran>
  plan(): Promise<Plan>
}

/** Runs envs in a folder; removed environments are kept, as a user's are. */
function runIn(cli: SandboxedCli, folder: string, argv: readonly string[]): Promise<Ran> {
  return runCli([...cli.words, ...argv], {env: {...cli.env, ...WITH_TRASH}, home: folder, options: {}})
}

async function projectIn(cli: SandboxedCli, name: string): Promise<Project> {
  const folder = join(cli.home, name)
  await mkdir(folder, {recursive: true})
  const envs = (...argv: readonly string[]) => runIn(cli, folder, argv)
  return {
    folder,
    envs,
    async write(path, text) {
      await mkdir(dirname(join(folder, path)), {recursive: true})
      await writeFile(join(folder, path), text)
    },
    async plan() {
      const {stdout} = await envs('plan', '--json')
      return JSON.parse(stdout)[0]
    },
  }
}

const fileOf = (image: string, {step = 'cp /build/made /etc/made', motd = 'Welcome'} = {}) => `version = 1
default = "dev"
[env.dev]
image = ${JSON.stringify(image)}
env = {GREETING = "hi"}
[[env.dev.files]]
text = "${motd}\\n"
to = "/etc/motd.d/project"
mode = "0640"
[[env.dev.files]]
from = "etc"
to = "/etc/project"
[[env.dev.steps]]
run = "echo $GREETING $SOURCE_DATE_EPOCH >/etc/greeting"
[[env.dev.steps]]
run = ${JSON.stringify(step)}
needs = ["tool/**"]
`

for (const {identity, skip} of IDENTITIES) {
  const scope = fileScope()
  let store: Promise<{cli: SandboxedCli; image: string}> | undefined
  const open = () => {
    store ??= (async () => {
      const cli = await environmentCli(scope)
      await cli.run('config', 'set', 'identity', identity)
      return {cli, image: await seededRootfs(cli, identity)}
    })()
    return store
  }
  const given = async (name: string) => {
    const {cli, image} = await open()
    const project = await projectIn(cli, name)
    await project.write('envs.toml', fileOf(image))
    await project.write('tool/made', `made by ${name}\n`)
    await project.write('etc/settings', 'on\n')
    return {...project, image, cli}
  }
  const projectTest = (what: string, body: () => Promise<void>) => test(`${identity}: ${what}`, {skip}, body)

  projectTest('up makes what the file says, and then has nothing to do', async () => {
    const {envs, plan, write} = await given('first')
    const before = await envs('plan')
    assert.equal(before.status, 10)
    assert.match(before.stdout, /^first-dev: would be created\n {2}\+ make {2}image /)
    const up = await envs('up', '--json')
    assert.equal(up.status, 0, up.stderr)
    const [made] = JSON.parse(up.stdout)
    assert.deepEqual([made.name, made.action, made.kept], ['first-dev', 'created', null])
    const look =
      'stat -c "%a %U" /etc/motd.d/project; cat /etc/motd.d/project /etc/project/settings /etc/greeting /etc/made'
    const seen = await envs('run', 'first-dev', '--', 'sh', '-c', look)
    assert.equal(seen.stdout, '640 root\nWelcome\non\nhi 315532800\nmade by first\n')
    assert.equal((await plan()).action, 'none')
    assert.equal((await envs('plan')).status, 0)
    assert.equal((await envs('up')).stdout, 'first-dev is up to date\n')
    // A session makes the folder at which it sees the project: no change of anybody.
    assert.equal((await envs('run', '--', 'cat', 'tool/made')).stdout, 'made by first\n')
    await write('tool/made', 'made again\n')
    await envs('stop', 'first-dev')
    assert.equal((await envs('up')).stdout, 'Changed first-dev\n')
  })

  projectTest(
    'a time, a mode bit of the umask and a comment change no key; a byte changes one layer',
    async () => {
      const {envs, plan, folder, write, image} = await given('keys')
      await envs('up', '--quiet')
      const {layers} = await plan()
      await utimes(join(folder, 'tool/made'), 1, 1)
      await chmod(join(folder, 'tool/made'), 0o600)
      await write('envs.toml', `# a comment\n${fileOf(image)}`)
      assert.deepEqual(await plan(), {...(await plan()), action: 'none', layers})
      await write('tool/made', 'other\n')
      const changed = await plan()
      assert.deepEqual(
        changed.layers.map(({isKnown}) => isKnown),
        [true, true, false],
      )
      await chmod(join(folder, 'tool/made'), 0o700)
      const executable = await plan()
      assert.notEqual(executable.layers.at(-1)?.key, changed.layers.at(-1)?.key)
    },
  )

  projectTest('another project finds the layers, and gets a machine id of its own', async () => {
    const one = await given('shared/one')
    await one.envs('up', '--quiet')
    const two = await given('shared/two')
    await two.write('tool/made', 'made by shared/one\n')
    const {layers} = await two.plan()
    assert.deepEqual([...new Set(layers.map(({isKnown}) => isKnown))], [true])
    await two.envs('up', '--quiet')
    const ids = await Promise.all([
      one.envs('run', 'one-dev', '--', 'cat', '/etc/machine-id', '/etc/hostname'),
      two.envs('run', 'two-dev', '--', 'cat', '/etc/machine-id', '/etc/hostname'),
    ])
    const [first, second] = ids.map(({stdout}) => stdout.split('\n'))
    assert.deepEqual([first?.[1], second?.[1]], ['one-dev', 'two-dev'])
    assert.notEqual(first?.[0], second?.[0])
  })

  projectTest('changes made by hand are not hidden, unless asked for, and then are a snapshot', async () => {
    const {envs, write, image} = await given('hand')
    await envs('up', '--quiet')
    await envs('run', 'hand-dev', '--', 'sh', '-c', 'echo mine >/etc/mine')
    await envs('stop', 'hand-dev')
    await write('envs.toml', fileOf(image, {motd: 'Hello'}))
    const refused = await envs('up')
    assert.equal(refused.status, 4)
    assert.match(
      refused.stderr,
      /^envs: hand-dev has changes of its own, which the new state would hide: \/etc\/mine\.$/m,
    )
    const replaced = JSON.parse((await envs('up', '--replace', '--json')).stdout)[0]
    assert.equal(replaced.action, 'replaced')
    const now = 'cat /etc/motd.d/project; test -e /etc/mine || echo hidden'
    assert.equal((await envs('run', 'hand-dev', '--', 'sh', '-c', now)).stdout, 'Hello\nhidden\n')
    await envs('restore', 'hand-dev', replaced.kept, '--force')
    assert.equal((await envs('run', 'hand-dev', '--', 'cat', '/etc/mine')).stdout, 'mine\n')
  })

  projectTest('a step that fails leaves the layers below it, and on demand its own state', async () => {
    const {envs, plan, write, image} = await given('failing')
    await write('envs.toml', fileOf(image, {step: 'touch /half; exit 3'}))
    const failed = await envs('up')
    assert.equal(failed.status, 10)
    assert.match(
      failed.stderr,
      /^envs: The step 2: touch \/half; exit 3 of failing-dev failed with status 3\.$/m,
    )
    assert.deepEqual(
      (await plan()).layers.map(({isKnown}) => isKnown),
      [true, true, false],
    )
    assert.equal((await envs('show', 'failing-dev')).status, 3)
    assert.equal((await envs('up', '--keep-failed', '--quiet')).status, 10)
    assert.equal((await envs('run', 'failing-dev-failed', '--', 'ls', '/half')).stdout, '/half\n')
    await envs('rm', '--now', '--force', 'failing-dev-failed')
  })

  projectTest('a step sees what it needs to read, and neither the network nor the project', async () => {
    const {envs, write, image} = await given('sealed')
    const step =
      'ls -A /build >/etc/seen; touch /build/x 2>/dev/null && exit 1; ls /src 2>/dev/null && exit 2; sed -n "s/:.*//p" /proc/net/dev >>/etc/seen'
    await write('envs.toml', fileOf(image, {step}))
    assert.equal((await envs('up', '--quiet')).status, 0)
    assert.equal((await envs('run', 'sealed-dev', '--', 'cat', '/etc/seen')).stdout, 'made\n    lo\n')
  })

  projectTest('a link that leads out, and what is no file, are refused', async () => {
    const {envs, folder, write} = await given('hostile')
    await symlink('/etc/passwd', join(folder, 'tool/link'))
    const linked = await envs('up')
    assert.deepEqual(
      [linked.status, linked.stderr.split('\n')[0]],
      [
        2,
        'envs: Could not read "tool/link" of the project: it is a link that leads out of what the file names: /etc/passwd.',
      ],
    )
    await rm(join(folder, 'tool'), {recursive: true})
    await symlink('/etc', join(folder, 'tool'))
    const through = await envs('up')
    assert.deepEqual(
      [through.status, through.stderr.split('\n')[0]],
      [2, 'envs: Could not read "tool" of the project: it is reached through a link.'],
    )
    await rm(join(folder, 'tool'))
    await write('tool/made', '')
    assert.equal((await envs('plan')).status, 10)
  })

  projectTest(
    'what reaches out of the environment has to be allowed, and again when it changes',
    async () => {
      const {envs, folder, write, image, cli} = await given('trust')
      const shared = join(cli.home, 'shared-folder')
      await mkdir(shared)
      await write(
        'envs.toml',
        `${fileOf(image)}[[env.dev.volumes]]\nfrom = "~/shared-folder"\nto = "/shared"\n`,
      )
      const refused = await envs('up')
      assert.equal(refused.status, 2)
      assert.match(
        refused.stderr,
        /asks for more than its own environment: the folder ~\/shared-folder of the host, as \/shared, to write\./,
      )
      assert.equal((await envs('up', '--yes', '--quiet')).status, 0)
      await mkdir(join(folder, 'src/deep'), {recursive: true})
      const session = await runIn(cli, join(folder, 'src/deep'), [
        'run',
        '--',
        'sh',
        '-c',
        'pwd; echo $GREETING; touch /shared/x',
      ])
      assert.equal(session.stdout, '/src/src/deep\nhi\n')
      assert.equal(await readFile(join(shared, 'x'), 'utf8'), '')
      await write('envs.toml', `${fileOf(image)}[[env.dev.volumes]]\nfrom = "~"\nto = "/shared"\n`)
      assert.equal((await envs('up')).status, 2)
      assert.equal((await envs('run', '--', 'true')).status, 125)
    },
  )

  projectTest('a cache is kept between runs of a step, in no layer, and belongs to one project', async () => {
    const {image, ...one} = await given('cached')
    const text = (word: string) => `version = 1
[env.dev]
image = ${JSON.stringify(image)}
[[env.dev.steps]]
run = "cat /cache/runs >/etc/runs 2>/dev/null || true; echo ${word} >>/cache/runs"
cache = ["/cache"]
`
    await one.write('envs.toml', text('first'))
    assert.equal((await one.envs('up', '--quiet')).status, 0)
    await one.write('envs.toml', text('second'))
    assert.equal((await one.envs('up', '--quiet')).status, 0)
    const seen = await one.envs('run', 'cached-dev', '--', 'sh', '-c', 'cat /etc/runs; ls -A /cache')
    assert.equal(seen.stdout, 'first\n')
    const other = await given('other-cached')
    await other.write('envs.toml', text('third'))
    await other.envs('up', '--quiet')
    assert.equal((await other.envs('run', 'other-cached-dev', '--', 'cat', '/etc/runs')).stdout, '')
  })

  projectTest('two at once make each layer once', async () => {
    const {envs, write, image} = await given('twice')
    await write('envs.toml', fileOf(image, {step: 'cat /proc/sys/kernel/random/uuid >/etc/once'}))
    const [one, two] = await Promise.all([envs('up', '--json'), envs('up', '--json')])
    assert.deepEqual([one.status, two.status], [0, 0], `${one.stderr}${two.stderr}`)
    const actions = [one, two].map(({stdout}) => JSON.parse(stdout)[0].action).sort()
    assert.deepEqual(actions, ['created', 'none'])
  })

  projectTest('down takes the environment away, and its layers are there for the next up', async () => {
    const {envs, plan} = await given('gone')
    await envs('up', '--quiet')
    assert.equal((await envs('down')).status, 0)
    assert.equal((await envs('show', 'gone-dev')).status, 3)
    const {action, layers} = await plan()
    assert.deepEqual([action, ...layers.map(({isKnown}) => isKnown)], ['create', true, true, true])
  })
}
