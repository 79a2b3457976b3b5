#!/usr/bin/perl
# Makes the namespaces of an environment and mounts its tree on hosts without bubblewrap; then becomes its first process.
#
# usage: anchor.pl NUMBERS PROGRAM ARGUMENT...
#   NUMBERS  system call numbers of prctl, setns, unshare, mount, umount2, pivot_root and sethostname on this processor, then
#            the values of O_DIRECTORY and O_NOFOLLOW there, separated by commas
#   PROGRAM  of the guest; it is pid 1
# Started as root of the user namespace that will own the mounts.
# Inherited: 3 receives the process id of pid 1, in bubblewrap's format; 7 operations, words that each end with a
# zero byte; 8 classic BPF program (may be empty); 9 the guest's user namespace, if it is another; 4, 5, 6 and 10 go to PROGRAM,
# unless a word takes them.
#
#   stage FOLDER                 a folder of the host on which the tree is mounted; it does not change
#   hostname NAME
#   own-network                  a network namespace with a loopback interface alone
#   own-cgroups                  a cgroup namespace whose root is the control group of this process
#   capabilities NUMBERS          those that PROGRAM can have, separated by commas
#   keeper                       the parent of pid 1 sends at 5 one byte when pid 1 is its child, and one when PROGRAM may start. Between
#                                them all is mounted: a line to 4. Pid 1 dies with that parent
#   ask-keeper SECCOMP FILTER    if the first byte is "l", calls that a second filter names, in hexadecimal digits, wait for the keeper:
#                                the line has the number of a descriptor to listen at, unless the kernel refuses
#   second-namespace             mounts are not the guest's root's to change: it enters the user namespace at 9 last
#   bind FROM AT rw|ro need|skip FROM of the host; "skip" does without what is not there
#   overlay FOLDER OPTIONS AT    as mount(8) has them; names in OPTIONS are relative to FOLDER
#   tmpfs AT | empty AT | proc AT | dev AT | mqueue AT   empty: nothing can be written to it
#   device FROM AT               a device of the host, on a file
#   fuse AT                      the FUSE connection at 10
#   folder AT MODE | file AT MODE TEXT | link AT TARGET   made where a mount above put a new file system; a folder may be there
#   share AT                     what is mounted on the mount there later appears in copies of this mount namespace too
#   read-only-root               "/" becomes read-only when all is mounted; what is mounted in it does not
#   fork                         pid 1 makes what comes after it. The mounts before it belong to the outer pid namespace
#   end                          of all words: without it nothing is done
# The first mount is that of the guest's "/". Without "fork" pid 1 makes all.
#
# The tree is hostile: it may contain a link in place of a folder. The program walks to each place from the tree's root, a step at
# a time, and mounts on its descriptor, so that it follows no link and no place can be exchanged meanwhile.
#
# Plain Perl without modules, as session.pl. See mount_namespaces(7), pivot_root(2), open(2) for O_PATH, mount_setattr(2).
use v5.12;
use warnings;

my ($EPERM, $ENOENT, $ENOTDIR, $EINVAL, $ENOSYS, $ELOOP) = (1, 2, 20, 22, 38, 40);
my ($S_IFMT, $S_IFLNK) = (0170000, 0120000);
my ($CLONE_NEWCGROUP, $CLONE_NEWNS, $CLONE_NEWUTS, $CLONE_NEWIPC, $CLONE_NEWUSER, $CLONE_NEWPID) = (0x02000000, 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000);
# netdevice(7); an ifreq is 40 bytes.
my ($CLONE_NEWNET, $AF_INET, $SOCK_DGRAM, $SIOCSIFFLAGS, $IFF_UP) = (0x40000000, 2, 2, 0x8914, 1);
my %flag = (rdonly => 1, nosuid => 2, nodev => 4, noexec => 8, remount => 0x20,
  bind => 0x1000, rec => 0x4000, slave => 0x80000, shared => 0x100000);
my ($MNT_DETACH, $AT_EMPTY_PATH, $AT_RECURSIVE) = (2, 0x1000, 0x8000);
my %attribute = (rdonly => 1, nosuid => 2, nodev => 4);
my ($PR_SET_PDEATHSIG, $SIGKILL, $PR_SET_SECCOMP, $SECCOMP_MODE_FILTER, $PR_CAPBSET_DROP) = (1, 9, 22, 2, 24);
my ($SECCOMP_SET_MODE_FILTER, $SECCOMP_FILTER_FLAG_NEW_LISTENER) = (1, 1 << 3);
# The same numbers on every supported processor; O_WRONLY.
my ($O_WRONLY, $O_CREAT, $O_EXCL) = (1, 0100, 0200);
# The same number on every supported processor.
my ($O_PATH, $nr_mount_setattr) = (010000000, 442);
my $MAX_INPUT_BYTES = 1 << 20;
my @DEVICES = qw(null zero full random urandom tty);
my %DEVICE_LINKS = (fd => '/proc/self/fd', stdin => '/proc/self/fd/0', stdout => '/proc/self/fd/1', stderr => '/proc/self/fd/2',
  core => '/proc/kcore', ptmx => 'pts/ptmx');

BEGIN { $^F = 2 }    # what is opened here is closed at exec; what is to be handed on was open before

my ($numbers, @program) = @ARGV;
my ($nr_prctl, $nr_setns, $nr_unshare, $nr_mount, $nr_umount, $nr_pivot_root, $nr_sethostname, $O_DIRECTORY, $O_NOFOLLOW) =
  map { $_ + 0 } split /,/, $numbers;

my $info = adopt(3, '>');
my @words = split /\0/, read_all(adopt(7, '<'));
my $filter = read_all(adopt(8, '<'));

my ($stage, $hostname, $guest_namespace, $capabilities, $keeper, $asked, $fuse, $has_read_only_root, @mounts) = ('/');
read_words();
check(syscall($nr_unshare, $CLONE_NEWNS | $CLONE_NEWPID | $CLONE_NEWIPC | $CLONE_NEWUTS), 'new namespaces');
# Before any mount, which may hide them.
$_->{source} = open_source($_->{from}, $_->{if_missing} // 'need') for grep { defined $_->{from} } @mounts;
my $root;
my ($fork_at) = grep { $mounts[$_]{kind} eq 'fork' } 0 .. $#mounts;
make_mounts(splice @mounts, 0, $fork_at) if defined $fork_at;
# Complete only when its id is written: readers use the id as the sign of readiness.
pipe(my $is_known, my $known) or fail('pipe');
defined(my $child = fork) or fail('fork');
if ($child) {
  syswrite($info, qq({"child-pid": $child, "engine": "unshare"}\n)) or fail('the process id');
  exit 0;
}
close $known;
sysread $is_known, my $nothing, 1;
close $info;

close_strays();
make_mounts(grep { $_->{kind} ne 'fork' } @mounts);
make_root_read_only() if $has_read_only_root;
enter_root();
check(syscall($nr_sethostname, "$hostname", length $hostname), 'hostname') if defined $hostname;
check(syscall($nr_setns, fileno $guest_namespace, $CLONE_NEWUSER), 'the second user namespace') if defined $guest_namespace;
drop_capabilities() if defined $capabilities;
load_filter() if length $filter;
bind_to_keeper() if defined $keeper;
umask 022;
%ENV = (PATH => $ENV{PATH} // '');
no warnings 'exec';    # fail tells it
exec { $program[0] } @program or fail($program[0]);

sub fail {
  my ($what) = @_;
  print STDERR "envs: $what: $!\n";
  exit 1;
}

sub check {
  my ($result, $what) = @_;
  $result == 0 or fail($what);
}

sub adopt {
  my ($number, $mode) = @_;
  open(my $handle, "$mode&=", $number) or fail("descriptor $number");
  # It was inherited, so children would inherit it too.
  fcntl($handle, 2, 1);
  return $handle;
}

sub read_all {
  my ($handle) = @_;
  my ($text, $length) = ('', 0);
  while ($length = sysread $handle, $text, 65536, length $text) {
    exit 1 if length $text > $MAX_INPUT_BYTES;
  }
  defined $length or fail('what to do');
  return $text;
}

# Descriptors left open by the caller's shell would lead out of the guest.
sub close_strays {
  opendir(my $folder, '/proc/self/fd') or fail('descriptors');
  my %is_kept = map { $_ => 1 } 0 .. 2, 4 .. 6, 9, 10, fileno $is_known;
  $is_kept{fileno $_} = 1 for grep { defined } $root, map { $_->{source} } @mounts;
  my @numbers = grep { /^\d+$/ && !$is_kept{$_} } readdir $folder;
  closedir $folder;
  for my $number (@numbers) {
    open(my $stray, '<&=', $number) or next;
    close $stray;
  }
}

sub read_words {
  unless (@words && pop @words eq 'end') { $! = $ENOENT; fail('the end of the words') }
  while (defined(my $word = shift @words)) {
    if    ($word eq 'stage')            { $stage = shift @words }
    elsif ($word eq 'hostname')         { $hostname = shift @words }
    elsif ($word eq 'own-network')      { make_network() }
    elsif ($word eq 'own-cgroups')      { make_cgroup_namespace() }
    elsif ($word eq 'keeper')           { $keeper = [adopt(4, '>'), adopt(5, '<')] }
    elsif ($word eq 'read-only-root')   { $has_read_only_root = 1 }
    elsif ($word eq 'capabilities')     { $capabilities = shift @words }
    elsif ($word eq 'ask-keeper')       { $asked = [splice @words, 0, 2] }
    elsif ($word eq 'second-namespace') { $guest_namespace = adopt(9, '<') }
    elsif ($word eq 'bind')             { my %mount = (kind => $word); @mount{qw(from at access if_missing)} = splice @words, 0, 4; push @mounts, \%mount }
    elsif ($word eq 'overlay')          { my %mount = (kind => $word); @mount{qw(folder options at)} = splice @words, 0, 3; push @mounts, \%mount }
    elsif ($word eq 'device')           { my %mount = (kind => $word); @mount{qw(from at)} = splice @words, 0, 2; push @mounts, \%mount }
    elsif ($word eq 'folder')           { my %mount = (kind => $word); @mount{qw(at mode)} = splice @words, 0, 2; push @mounts, \%mount }
    elsif ($word eq 'file')             { my %mount = (kind => $word); @mount{qw(at mode text)} = splice @words, 0, 3; push @mounts, \%mount }
    elsif ($word eq 'link')             { my %mount = (kind => $word); @mount{qw(at target)} = splice @words, 0, 2; push @mounts, \%mount }
    elsif ($word eq 'fuse')             { $fuse = adopt(10, '+<'); push @mounts, {kind => $word, at => shift @words} }
    elsif ($word eq 'fork')             { push @mounts, {kind => $word} }
    elsif ($word eq 'share')            { push @mounts, {kind => $word, at => shift @words} }
    elsif ($word =~ /^(?:tmpfs|empty|proc|dev|mqueue)$/) { push @mounts, {kind => $word, at => shift @words} }
    else { $! = $ENOENT; fail("the word $word") }
  }
}

sub make_network {
  check(syscall($nr_unshare, $CLONE_NEWNET), 'a new network namespace');
  socket(my $socket, $AF_INET, $SOCK_DGRAM, 0) or fail('a socket');
  my $request = pack('a16 s x22', 'lo', $IFF_UP);
  ioctl($socket, $SIOCSIFFLAGS, $request) or fail('the loopback interface');
}

# The guest may make none (see second-namespace.pl): one is allowed for as long as it takes.
sub make_cgroup_namespace {
  my $path = '/proc/sys/user/max_cgroup_namespaces';
  for my $most (1, 0) {
    open(my $file, '>', $path) or fail($path);
    defined syswrite($file, $most) or fail($path);
    close $file;
    check(syscall($nr_unshare, $CLONE_NEWCGROUP), 'a new cgroup namespace') if $most;
  }
}

# The first of them is the root.
sub make_mounts {
  my @wanted = @_;
  umask 0;
  if (!defined $root) {
    # A copy of a mount here must not keep it mounted after the host unmounts it.
    mount_at(undef, '/', undef, $flag{rec} | $flag{slave}, 'the propagation of mounts');
    $root = mount_root(shift @wanted);
  }
  for my $mount (@wanted) {
    next if defined $mount->{from} && !defined $mount->{source};
    mount_one($mount);
  }
}

# Each byte is awaited, so that pid 1 learns of the end of its parent before it asks for the signal, and the kernel sends it after that.
sub bind_to_keeper {
  my ($tells, $hears) = @$keeper;
  sysread($hears, my $is_child, 1) or exit 1;
  check(syscall($nr_prctl, $PR_SET_PDEATHSIG, $SIGKILL, 0, 0, 0), 'the end with the keeper');
  my $listener = defined $asked && $is_child eq 'l' ? open_listener(@$asked) : -1;
  syswrite($tells, $listener < 0 ? "mounted\n" : "mounted $listener\n") or fail('the keeper');
  sysread($hears, my $may_start, 1) or exit 1;
}

sub open_source {
  my ($path, $if_missing) = @_;
  if (sysopen(my $source, $path, $O_PATH)) { return $source }
  return if $if_missing eq 'skip' && ($! == $ENOENT || $! == $ENOTDIR);
  fail($path);
}

sub by_number {
  my ($handle) = @_;
  return '/proc/self/fd/' . fileno $handle;
}

sub mount_at {
  my ($source, $target, $type, $flags, $what, $data) = @_;
  # Copies, because perl passes a string that was only used as a number on as a number.
  my ($source_text, $target_text, $type_text) = ("${\($source // '')}", "$target", "${\($type // '')}");
  check(syscall($nr_mount, $source_text, $target_text, $type_text, $flags, defined $data ? "$data" : 0), $what);
}

# The guest's root may change them, unless it is in the second user namespace.
sub mount_root {
  my ($mount) = @_;
  # Sessions allow programs to change ids; without a session before them, services could not.
  my @limits = defined $guest_namespace && !defined $keeper ? qw(nodev nosuid) : qw(nodev);
  if ($mount->{kind} eq 'overlay') {
    chdir $mount->{folder} or fail($mount->{folder});
    my $flags = 0;
    $flags |= $flag{$_} for @limits;
    mount_at('overlay', $stage, 'overlay', $flags, 'the layers', $mount->{options});
    chdir '/' or fail('/');
  }
  else {
    mount_at(by_number($mount->{source}), $stage, undef, $flag{bind} | $flag{rec}, $mount->{from});
    push @limits, 'rdonly' if $mount->{access} eq 'ro';
  }
  sysopen(my $root, $stage, $O_PATH | $O_DIRECTORY | $O_NOFOLLOW) or fail($stage);
  limit($root, '/', @limits) if $mount->{kind} eq 'bind';
  return $root;
}

sub mount_one {
  my ($mount) = @_;
  my ($kind, $at) = ($mount->{kind}, $mount->{at});
  return make_entry($mount) if $kind =~ /^(?:folder|file|link)$/;
  my $target = by_number(my $place = walk($at));
  if ($kind eq 'bind') {
    mount_at(by_number($mount->{source}), $target, undef, $flag{bind} | $flag{rec}, $at);
    limit(walk($at), $at, qw(nosuid nodev), $mount->{access} eq 'ro' ? 'rdonly' : ());
  }
  elsif ($kind eq 'device') { mount_at(by_number($mount->{source}), $target, undef, $flag{bind}, $at) }
  elsif ($kind eq 'fuse') {
    my $options = 'fd=' . fileno($fuse) . ',rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions';
    mount_at('envs', $target, 'fuse.envs', $flag{nosuid} | $flag{nodev} | $flag{noexec}, $at, $options);
  }
  elsif ($kind eq 'proc')   { mount_at('proc', $target, 'proc', $flag{nosuid} | $flag{noexec} | $flag{nodev}, $at) }
  elsif ($kind eq 'tmpfs')  { mount_at('tmpfs', $target, 'tmpfs', $flag{nosuid} | $flag{nodev}, $at, 'mode=0755') }
  elsif ($kind eq 'empty')  { mount_at('tmpfs', $target, 'tmpfs', $flag{nosuid} | $flag{nodev} | $flag{rdonly}, $at, 'mode=0755') }
  elsif ($kind eq 'share')  { mount_at(undef, $target, undef, $flag{shared}, $at) }
  elsif ($kind eq 'mqueue') { mount_at('mqueue', $target, 'mqueue', 0, $at) }
  elsif ($kind eq 'dev')    { mount_at('tmpfs', $target, 'tmpfs', $flag{nosuid} | $flag{nodev}, $at, 'mode=0755'); fill_dev($at) }
}

sub fill_dev {
  my ($at) = @_;
  my $folder = by_number(my $dev = walk($at));
  for my $name (@DEVICES) {
    open(my $file, '>', "$folder/$name") or fail("$at/$name");
    mount_at("/dev/$name", "$folder/$name", undef, $flag{bind}, "$at/$name");
  }
  for my $name (sort keys %DEVICE_LINKS) { symlink $DEVICE_LINKS{$name}, "$folder/$name" or fail("$at/$name") }
  for my $name (qw(shm mqueue pts)) { mkdir "$folder/$name", 0755 or fail("$at/$name") }
  mount_at('devpts', "$folder/pts", 'devpts', $flag{nosuid} | $flag{noexec}, "$at/pts", 'newinstance,ptmxmode=0666,mode=620');
}

# Follows no link: the parent is walked to, and the entry is new or a real folder.
sub make_entry {
  my ($entry) = @_;
  my ($kind, $at) = ($entry->{kind}, $entry->{at});
  my ($above, $name) = $at =~ m{^(.*)/([^/]+)$};
  my $path = by_number(my $parent = walk($above)) . "/$name";
  if ($kind eq 'link') { symlink $entry->{target}, $path or fail($at) }
  elsif ($kind eq 'file') {
    sysopen(my $file, $path, $O_WRONLY | $O_CREAT | $O_EXCL | $O_NOFOLLOW, oct $entry->{mode}) or fail($at);
    defined syswrite($file, $entry->{text}) or fail($at);
  }
  else {
    mkdir $path;    # may be there; "walk" refuses all but a real one
    chmod oct $entry->{mode}, by_number(my $folder = walk($at)) or fail($at);
  }
}

# Returns a descriptor of a place in the tree. Each step is a real folder, the last may be a file; links are refused.
sub walk {
  my ($path) = @_;
  my $here = $root;
  my @steps = grep { length } split m{/}, $path;
  for my $step (@steps) {
    if ($step eq '..') { $! = $ELOOP; fail("$path in the environment") }
    sysopen(my $next, by_number($here) . "/$step", $O_PATH | $O_NOFOLLOW) or fail("$path in the environment");
    my @status = stat $next or fail("$path in the environment");
    if (($status[2] & $S_IFMT) == $S_IFLNK) { $! = $ELOOP; fail("$path in the environment") }
    $here = $next;
  }
  return $here;
}

# Sets attributes of a mount and of its submounts. @see mount_setattr(2), since Linux 5.12
sub limit {
  my ($place, $what, @names) = @_;
  my ($empty, $set) = ("\0", 0);
  $set |= $attribute{$_} for @names;
  my $attributes = pack('Q4', $set, 0, 0, 0);
  return if syscall($nr_mount_setattr, fileno $place, $empty, $AT_EMPTY_PATH | $AT_RECURSIVE, $attributes, length $attributes) == 0;
  # Some containers answer unknown calls with EPERM.
  $! == $ENOSYS or $! == $EPERM or fail($what);
  limit_each($place, $what, @names);
}

sub make_root_read_only {
  my ($empty, $attributes) = ("\0", pack('Q4', $attribute{rdonly}, 0, 0, 0));
  return if syscall($nr_mount_setattr, fileno $root, $empty, $AT_EMPTY_PATH, $attributes, length $attributes) == 0;
  $! == $ENOSYS or $! == $EPERM or fail('/');
  my $flags = 0;
  $flags |= $flag{$_} for qw(remount bind rdonly nodev nosuid);
  mount_at(undef, by_number($root), undef, $flags, '/');
}

# One mount at a time; attributes that are set already must be repeated, or the kernel refuses. Keeps the access time
# mode unless it is given.
sub limit_each {
  my ($place, $what, @names) = @_;
  my $path = readlink by_number($place);
  open(my $table, '<', '/proc/self/mountinfo') or fail($what);
  for my $line (<$table>) {
    my @fields = split / /, $line;
    (my $point = $fields[4]) =~ s/\\([0-7]{3})/chr oct $1/ge;
    next unless $point eq $path || index($point, "$path/") == 0;
    my $flags = $flag{remount} | $flag{bind};
    $flags |= $_ eq 'ro' ? $flag{rdonly} : $flag{$_} // 0 for split /,/, $fields[5];
    $flags |= $flag{$_} for @names;
    mount_at(undef, by_number($place) . substr($point, length $path), undef, $flags, $what);
  }
}

sub enter_root {
  chdir by_number($root) or fail('/');
  my ($new, $old) = ('.', '.');
  check(syscall($nr_pivot_root, $new, $old), 'pivot_root');
  # The host's tree covers the new one now; unmount it.
  check(syscall($nr_umount, $old, $MNT_DETACH), 'umount');
  chdir '/' or fail('/');
}

# From the set that limits what root gets at an execve(2); see capabilities(7). The kernel knows no number above the last.
sub drop_capabilities {
  my %is_kept = map { $_ => 1 } split /,/, $capabilities;
  for (my $number = 0; ; $number++) {
    next if $is_kept{$number} || syscall($nr_prctl, $PR_CAPBSET_DROP, $number, 0, 0, 0) == 0;
    last if $! == $EINVAL && $number > 0;
    fail("the capability $number");
  }
}

# Returns a descriptor that is closed at exec, or -1: a process has one listener at most, and a container around the host's user may
# have taken the place.
sub open_listener {
  my ($nr_seccomp, $digits) = @_;
  my $filter = pack 'H*', $digits;
  my $program = pack('Sx![L!]P', length($filter) / 8, $filter);
  return syscall($nr_seccomp + 0, $SECCOMP_SET_MODE_FILTER, $SECCOMP_FILTER_FLAG_NEW_LISTENER, $program);
}

# No "no new privileges": this process has CAP_SYS_ADMIN in its user namespace.
sub load_filter {
  my $program = pack('Sx![L!]P', length($filter) / 8, $filter);
  check(syscall($nr_prctl, $PR_SET_SECCOMP, $SECCOMP_MODE_FILTER, $program, 0, 0), 'filter');
}
