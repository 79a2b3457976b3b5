import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {which} from '../../support/extraction.js'
import {layer} from '../../support/image-layers.js'
import {writeLayout} from '../../support/image-layout.js'
import {runnableMembers} from '../../support/runnable-rootfs.js'

/** With it, no Perl starts, and Perl is the program of the host that is nearest to a session. */
const STEERING = 'PERL5OPT=-MNoSuchModuleInThisWorld'

for (const [engine, storage] of [
  ['bwrap', 'overlay'],
  ['proot', 'directory'],
] as const) {
  const skip = which(engine) === undefined && `${engine} is not installed`
  test(`variables of an image reach no program of the host, with ${engine}`, {skip}, async (t) => {
    const cli = await environmentCli(t, {ENVS_ENGINE: engine, ENVS_STORAGE: storage})
    const {folder} = await writeLayout(join(cli.home, 'layout'), {
      app: {
        layers: [layer(...(await runnableMembers()))],
        config: {Env: [STEERING], Cmd: ['/bin/sh', '-c', 'echo $PERL5OPT']},
      },
    })
    const made = await cli.run('create', `oci:${folder}:app`, '--name', 'app', '-q')
    assert.equal(made.status, 0, made.stderr)
    const {status, stdout, stderr} = await cli.run('run', 'app')
    assert.deepEqual([status, stdout], [0, `${STEERING.replace('PERL5OPT=', '')}\n`], stderr)
    assert.doesNotMatch(stderr, /NoSuchModule/)
  })
}
