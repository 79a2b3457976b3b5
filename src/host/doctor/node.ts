import {type Check, fail, pass} from './check.js'

/** The first version with all features that envs uses; the same as package.json's engines. */
const WANTED = {major: 20, minor: 17}

export function checkNode(): Check {
  return judgeNode(process.versions.node)
}

/** @param version - Such as `20.17.0`. */
export function judgeNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > WANTED.major || (major === WANTED.major && minor >= WANTED.minor))
    return pass('node', `${version}.`)
  return fail('node', {
    evidence: `${version}.`,
    cost: 'envs may end with syntax errors.',
    remedy: `Install Node.js ${WANTED.major}.${WANTED.minor} or later; your home folder will do.`,
  })
}
