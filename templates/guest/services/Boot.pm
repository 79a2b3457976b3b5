# Does the work of a machine before its services start: an empty /run, files of tmpfiles.d(5), generators of packages.
package Boot;
use v5.12;
use warnings;
use Account;
use Text;
use UnitFile;
use Units;

my @GENERATOR_FOLDERS = qw(/etc/systemd/system-generators /usr/local/lib/systemd/system-generators /usr/lib/systemd/system-generators
  /lib/systemd/system-generators);
# Generators of systemd's own are for mounts, consoles and the kernel's command line.
my $SKIPPED_GENERATOR = qr/^(?:systemd-|netplan|cloud-init|ds-identify|snapd|lvm2|ostree|zfs)/;
my $MADE = '/run/systemd/generator';
my @TMPFILES_FOLDERS = qw(/usr/lib/tmpfiles.d /usr/local/lib/tmpfiles.d /run/tmpfiles.d /etc/tmpfiles.d);
my $FIX_SCRIPTS = '/usr/lib/envs';

# The tree keeps /run from one start to the next; on a machine it is empty. Mounts in it stay.
sub empty_run {
  my @status = lstat '/run' or return;
  empty_folder('/run', $status[0]);
  mkdir $_, 0755 for qw(/run/lock /run/systemd /run/systemd/system /run/systemd/generator /run/user);
  chmod 01777, '/run/lock', '/dev/shm';
  # Of an environment whose files are read-only, these are in memory.
  chmod 01777, '/tmp', '/var/tmp' unless -w '/';
  if (open(my $file, '>', '/run/systemd/container')) { print $file "envs\n" }
}

sub empty_folder {
  my ($folder, $device) = @_;
  opendir(my $handle, $folder) or return;
  for my $path (map { "$folder/$_" } grep { !/^\.\.?$/ } readdir $handle) {
    my @status = lstat $path or next;
    # Mount points can't be removed, nor the folders above them.
    next if $status[0] != $device;
    if (-d _) {
      empty_folder($path, $device);
      rmdir $path;
    }
    else { unlink $path }
  }
}

# As templates/guest/holder.sh before sessions may join.
sub prepare_tree {
  for my $script (map { "$FIX_SCRIPTS/$_" } qw(lay-shims renew-keys)) { system { $script } $script if -x $script }
}

# Programs find systemctl by PATH. In APT's PATH and in those of root's shells the first folder comes before the second, where systemd
# has its own; cron has the second alone. Without this supervisor both links lead nowhere, and are passed over.
sub link_programs {
  my ($folder, $control) = @_;
  for my $link (qw(/usr/sbin/systemctl /usr/bin/systemctl)) {
    symlink "$folder/systemctl", $link unless lstat $link;
  }
  replace_program($_, "$folder/systemctl", $control) for qw(/usr/bin/systemctl), -l '/bin' ? () : '/bin/systemctl';
}

# Init scripts call systemd's own by its path. dpkg keeps it as systemctl.distrib through upgrades (dpkg-divert(1)), and the script in its
# place calls it whenever this supervisor does not run.
sub replace_program {
  my ($path, $own, $control) = @_;
  my ($is_ours, $text) = ('# envs: ', UnitFile::text_of($path) // return);
  return if -l $path || index($text, $is_ours) >= 0 || !-x '/usr/bin/dpkg-divert';
  my $short = $path =~ s{^/usr}{}r;
  my $name = !is_listed($path) && is_listed($short) ? $short : $path;
  my @words = ('dpkg-divert', '--quiet', '--local', '--divert', "$path.distrib");
  # Releases before 2019 lack --no-rename, which is their default.
  system(@words, '--no-rename', '--add', $name) == 0 or system(@words, '--add', $name) == 0 or return;
  unlink "$path.distrib";
  link $path, "$path.distrib" or return;
  open(my $file, '>', "$path.envs-new") or return;
  print $file "#!/bin/sh\n${is_ours}asks the supervisor of services, where one runs\n[ ! -S $control ] || exec $own \"\$@\"\nexec $path.distrib \"\$@\"\n";
  close $file;
  chmod 0755, "$path.envs-new";
  # At every moment there is a program.
  rename "$path.envs-new", $path;
}

# dpkg may know a file by its name before the merge of the folders.
sub is_listed {
  my ($path) = @_;
  return scalar grep { (UnitFile::text_of($_) // '') =~ /^\Q$path\E$/m } glob '/var/lib/dpkg/info/systemd*.list';
}

sub make_files {
  my ($program) = grep { -x } qw(/usr/bin/systemd-tmpfiles /bin/systemd-tmpfiles);
  if ($program) {
    system { $program } $program, qw(--create --remove --boot --exclude-prefix=/dev --exclude-prefix=/sys --exclude-prefix=/proc);
    return;
  }
  my %by_name;
  for my $folder (@TMPFILES_FOLDERS) { $by_name{(m{([^/]+)$})[0]} = $_ for Units::files_in($folder, qr/\.conf$/) }
  for my $path (map { $by_name{$_} } sort keys %by_name) {
    make_line($_) for grep { /^\s*[^#\s]/ } split /\n/, UnitFile::text_of($path) // '';
  }
}

# One line of tmpfiles.d: folders, files and links below /run and /var.
sub make_line {
  my ($line) = @_;
  my ($type, $path, $mode, $user, $group, $age, $argument) = Text::words(Text::specifiers('tmpfiles.service', $line));
  return unless defined $path && $path =~ m{^/(?:run|var|tmp)(?:/|$)} && $path !~ m{(?:^|/)\.\.(?:/|$)};
  my %default = (d => '0755', D => '0755', v => '0755', q => '0755', Q => '0755', e => '0755', f => '0644', F => '0644');
  my ($letter) = $type =~ /^([A-Za-z])/ or return;
  if ($letter =~ /^[dDvqQ]$/) { Account::make_path($path) }
  elsif ($letter =~ /^[fF]$/) {
    if ($letter eq 'F' || !-e $path) { if (open(my $file, '>', $path)) { print $file $argument // '' } }
  }
  elsif ($letter eq 'L') {
    Account::remove_tree($path) if $type =~ /\+/;
    symlink $argument, $path if defined $argument && $argument ne '-';
    return;
  }
  elsif ($letter !~ /^[eZz]$/) { return }
  return if -l $path || !-e $path;
  $mode = !defined $mode || $mode eq '-' ? $default{$letter} : $mode =~ s/^[~:]+//r;
  chmod oct $mode, $path if defined $mode && $mode =~ /^[0-7]+$/;
  my $uid = id_of($user, sub { scalar getpwnam $_[0] });
  my $gid = id_of($group, sub { scalar getgrnam $_[0] });
  chown $uid, $gid, $path if $uid >= 0 || $gid >= 0;
}

# -1 leaves it as it is.
sub id_of {
  my ($name, $look) = @_;
  return 0 if !defined $name || $name eq '-';
  $name =~ s/^://;
  return $name =~ /^\d+$/ ? $name : $look->($name) // -1;
}

# Generators of packages make units of their own configuration, as PostgreSQL's does of its clusters. See systemd.generator(7).
sub run_generators {
  Account::remove_tree($MADE);
  mkdir $_ for $MADE, map { "$MADE.$_" } qw(early late);
  my %by_name;
  for my $folder (reverse @GENERATOR_FOLDERS) {
    $by_name{(m{([^/]+)$})[0]} = $_ for Units::files_in($folder, qr/^[^.]/);
  }
  for my $name (grep { $_ !~ $SKIPPED_GENERATOR } sort keys %by_name) {
    my $program = $by_name{$name};
    next unless -f $program && -x _;
    local $ENV{SYSTEMD_SCOPE} = 'system';
    system { $program } $program, $MADE, "$MADE.early", "$MADE.late";
  }
}

1;
