import {capture} from '../src/host/process.js'

/**
 * Returns the user of the programs, by name.
 *
 * @throws {Error} If there is no such user, or the caller can't become it.
 */
export async function findUser(name: string): Promise<{uid: number; gid: number}> {
  if (process.getuid?.() !== 0) throw new Error('--as is for root: nobody else can run programs as another.')
  return {uid: await numberOf('--user', name), gid: await numberOf('--group', name)}
}

/** @see id(1) */
async function numberOf(what: '--user' | '--group', name: string): Promise<number> {
  const {status, stdout} = await capture(['id', what, '--', name])
  if (status !== 0) throw new Error(`--as ${name}: there is no such user.`)
  return Number(stdout)
}
