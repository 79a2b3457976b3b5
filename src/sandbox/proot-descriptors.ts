/** Numbers of the descriptors that templates/guest/proot-session.sh inherits, and proot keeps. */
export const ProotFd = {status: 3, lock: 4, liveness: 5, filter: 6} as const
