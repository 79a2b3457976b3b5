# The user, the groups and the folders of a service. See systemd.exec(5).
package Account;
use v5.12;
use warnings;
use UnitFile;

my %PLACE = (Runtime => '/run', State => '/var/lib', Cache => '/var/cache', Logs => '/var/log', Configuration => '/etc');
# The range that systemd takes the users of DynamicUser= from.
my ($FIRST_DYNAMIC, $DYNAMIC_COUNT) = (61_184, 4336);
# Where only one id is there, envs's runuser makes it that of the user: a nested user namespace.
my $BECOME = '/usr/lib/envs/become';

sub has_one_id { return -x $BECOME }

# Returns {name, uid, gid, home, shell, is_dynamic} of the unit's user; undef if there is no such user.
sub of_unit {
  my ($unit) = @_;
  my ($user, $group) = map { UnitFile::value($unit, "Service.$_", '') } qw(User Group);
  my @entry = $user =~ /^\d+$/ ? getpwuid $user : getpwnam(length $user ? $user : 'root');
  my %account;
  if (@entry) { @account{qw(name uid gid home shell)} = @entry[0, 2, 3, 7, 8] }
  elsif (UnitFile::is_true($unit, 'Service.DynamicUser')) { return of_dynamic($unit) }
  elsif ($user =~ /^\d+$/) { @account{qw(name uid gid home shell)} = ($user, $user, $user, '/', '/bin/sh') }
  elsif (!length $user || $user eq 'root') { @account{qw(name uid gid home shell)} = ('root', 0, 0, '/root', '/bin/sh') }
  else { return }
  if (length $group) {
    my $gid = $group =~ /^\d+$/ ? $group : getgrnam $group;
    return unless defined $gid;
    $account{gid} = $gid;
  }
  return {%account, is_named => length $user > 0};
}

# The same id at each start, so that files of the service stay its own.
sub of_dynamic {
  my ($unit) = @_;
  return {name => 'root', uid => 0, gid => 0, home => '/root', shell => '/bin/sh'} if has_one_id();
  my ($plain) = $unit->{name} =~ /^(.*)\.\w+$/;
  my $uid = $FIRST_DYNAMIC + unpack('%32C*', $plain) % $DYNAMIC_COUNT;
  return {name => $plain, uid => $uid, gid => $uid, home => '/', shell => '/usr/sbin/nologin', is_named => 1, is_dynamic => 1};
}

# Returns the group ids of an account, the first one its own.
sub groups {
  my ($unit, $account) = @_;
  my @added = grep { defined } map { /^\d+$/ ? $_ : scalar getgrnam $_ } UnitFile::words_of($unit, 'Service.SupplementaryGroups');
  my %group = map { $_ => 1 } @added;
  setgrent;
  while (my ($name, undef, $gid, $members) = getgrent) {
    $group{$gid} = 1 if $account->{uid} && grep { $_ eq $account->{name} } split ' ', $members;
  }
  endgrent;
  delete $group{$account->{gid}};
  return ($account->{gid}, sort { $a <=> $b } keys %group);
}

# Makes RuntimeDirectory= and its like. Returns the failed path, or undef.
sub make_folders {
  my ($unit, $account) = @_;
  for my $kind (sort keys %PLACE) {
    my $mode = oct UnitFile::value($unit, "Service.${kind}DirectoryMode", '0755');
    for my $path (folders($unit, $kind)) {
      make_path($path) or return $path;
      chmod $mode, $path;
      # The configuration is root's. Links are not followed: the service may have made one.
      next if $kind eq 'Configuration' || -l $path;
      give($path, $account);
    }
  }
  return;
}

sub folders {
  my ($unit, $kind) = @_;
  return map { my ($name) = split /:/; $name =~ m{(?:^|/)\.\.(?:/|$)} ? () : "$PLACE{$kind}/$name" } UnitFile::words_of($unit, "Service.${kind}Directory");
}

sub make_path {
  my ($path, $mode) = @_;
  my $at = '';
  for my $part (grep { length } split m{/}, $path) {
    $at .= "/$part";
    mkdir $at, $mode // 0755;
  }
  return -d $path;
}

# Only when the owner changes, as systemd does: a service may keep files of other users.
sub give {
  my ($path, $account) = @_;
  my @status = lstat $path or return;
  return if $status[4] == $account->{uid} && $status[5] == $account->{gid};
  chown $account->{uid}, $account->{gid}, $path;
  return unless $account->{is_dynamic} && -d _;
  opendir(my $folder, $path) or return;
  give("$path/$_", $account) for grep { !/^\.\.?$/ } readdir $folder;
}

# Removes RuntimeDirectory= of a service that has stopped.
sub remove_folders {
  my ($unit) = @_;
  return if UnitFile::value($unit, 'Service.RuntimeDirectoryPreserve', 'no') =~ /^(?:yes|true|1|on|restart)$/;
  remove_tree($_) for folders($unit, 'Runtime');
}

sub remove_tree {
  my ($path) = @_;
  if (!-l $path && -d $path) {
    if (opendir(my $folder, $path)) { remove_tree("$path/$_") for grep { !/^\.\.?$/ } readdir $folder }
    return rmdir $path;
  }
  return unlink $path;
}

# RUNTIME_DIRECTORY and its like.
sub folder_variables {
  my ($unit) = @_;
  return map { my @paths = folders($unit, $_); @paths ? (uc($_) . '_DIRECTORY' => join ':', @paths) : () } sort keys %PLACE;
}

1;
