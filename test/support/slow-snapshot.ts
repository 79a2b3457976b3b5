import {type ChildProcess, spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {chmod, mkdir, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {SandboxedCli} from './cli.js'
import {waitUntil} from './wait-until.js'

/** Starts a snapshot whose cp(1) takes five seconds; resolves when cp was started, and the environment is frozen. */
export async function slowSnapshot(
  {home, words: [program, ...words], env}: Pick<SandboxedCli, 'home' | 'words' | 'env'>,
  name: string,
): Promise<ChildProcess> {
  const [folder, copying] = [join(home, 'slow'), join(home, 'copying')]
  await mkdir(folder, {recursive: true})
  await rm(copying, {force: true})
  await writeFile(join(folder, 'cp'), `#!/bin/sh\n: >${copying}\nexec sleep 5\n`)
  await chmod(join(folder, 'cp'), 0o755)
  const child = spawn(program, [...words, 'snapshot', name], {
    cwd: home,
    env: {...env, PATH: `${folder}:${env['PATH']}`},
    stdio: 'ignore',
  })
  await waitUntil('the copy', () => existsSync(copying))
  return child
}
