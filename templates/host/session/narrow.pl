# A session that may do less than its environment. Loaded by session.pl for its options -k and -r.
#
# See capabilities(7), prctl(2) for PR_CAPBSET_DROP, and mount_setattr(2).
use v5.12;

my ($EINVAL, $ENOSYS) = (22, 38);
my $PR_CAPBSET_DROP = 24;
my $CLONE_NEWNS = 0x00020000;
my ($MS_RDONLY, $MS_NOSUID, $MS_NODEV, $MS_REMOUNT, $MS_BIND) = (1, 2, 4, 0x20, 0x1000);
my ($AT_FDCWD, $MOUNT_ATTR_RDONLY, $nr_mount_setattr) = (-100, 1, 442);
1;

# From the set that limits what root gets at an execve(2). The kernel knows no number above the last.
sub drop_capabilities {
  my ($nr_prctl, $kept) = @_;
  my %is_kept = map { $_ => 1 } split /,/, $kept;
  for (my $number = 0; ; $number++) {
    next if $is_kept{$number} || syscall($nr_prctl, $PR_CAPBSET_DROP, $number, 0, 0, 0) == 0;
    last if $! == $EINVAL && $number > 0;
    give_up('capabilities');
  }
}

# In a copy of the guest's mounts that only this session sees. It belongs to the user namespace of the environment's mounts, so the
# guest's root can't change it.
sub lay_writable_folders {
  my ($nr_unshare, $nr_mount, $owns_mounts) = @_;
  # The guest's root could make the files writable again.
  give_up('unlocked') if $owns_mounts;
  syscall($nr_unshare, $CLONE_NEWNS) == 0 or give_up('read-only');
  for my $folder (grep { -d $_ && !-l $_ } '/tmp', '/var/tmp') {
    my ($type, $options) = ('tmpfs', 'mode=1777');
    syscall($nr_mount, $type, "$folder", $type, $MS_NOSUID | $MS_NODEV, $options) == 0 or give_up('read-only');
  }
}

# After the targets of volumes are made.
sub make_root_read_only {
  my ($nr_mount) = @_;
  my ($root, $attributes) = ('/', pack('Q4', $MOUNT_ATTR_RDONLY, 0, 0, 0));
  return if syscall($nr_mount_setattr, $AT_FDCWD, $root, 0, $attributes, length $attributes) == 0;
  # Linux before 5.12 lacks that call.
  $! == $ENOSYS && syscall($nr_mount, 0, $root, 0, $MS_REMOUNT | $MS_BIND | $MS_NODEV | $MS_RDONLY, 0) == 0 or give_up('read-only');
}
