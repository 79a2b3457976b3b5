import {capture} from '../../src/host/process.js'
import {paxHeader} from './tar-archive.js'

/** cap_net_raw, permitted and effective; linux/capability.h, vfs_cap_data. */
export const NET_RAW = Buffer.from('0100000200200000000000000000000000000000', 'hex')

export const withCapability = (value: string, key = 'SCHILY.xattr.security.capability') =>
  paxHeader([[key, value]])

/** What getcap(8) says of a file: nothing where it has no capability. */
export async function capabilityOf(path: string): Promise<string> {
  const {stdout} = await capture(['getcap', path], {env: {PATH: '/usr/sbin:/usr/bin:/sbin:/bin'}})
  return stdout.trim()
}
