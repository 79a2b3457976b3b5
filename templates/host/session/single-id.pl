# Another user than root where one id is mapped. Loaded by session.pl in the identity `emulated`.
#
# See user_namespaces(7).
use v5.12;

my $CLONE_NEWUSER = 0x10000000;
1;

# Maps the only id to the account's number in a new user namespace: no other id is available. This process writes the
# map, because a hidden process can't.
sub become_by_map {
  my ($nr_unshare, $own_files, %account) = @_;
  return if $account{uid} == 0 && $account{gid} == 0;
  syscall($nr_unshare, $CLONE_NEWUSER) == 0 or give_up('become');
  chdir $own_files or give_up('become');
  write_line('setgroups', 'deny');
  write_line('uid_map', "$account{uid} 0 1");
  write_line('gid_map', "$account{gid} 0 1");
  chdir '/' or give_up('become');
}

sub write_line {
  my ($path, $line) = @_;
  open(my $file, '>', $path) or give_up('become');
  defined syswrite($file, $line) or give_up('become');
}
