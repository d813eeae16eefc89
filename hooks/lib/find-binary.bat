@ECHO OFF
REM find-binary.bat [--no-build]
REM
REM Sets rust_vmm_ci to the path of the binary, or to nothing where there is none and none could be
REM had, and leaves only the absolute entries in PATH. With --no-build none is downloaded or built,
REM and nothing is said. The twin of find-binary; there is no build in a container.
REM
REM No block holds a path: a parenthesis in it, as in "Program Files (x86)", would end the block.
SET "rust_vmm_ci="
SETLOCAL EnableExtensions DisableDelayedExpansion
REM cmd would look for a program in the checkout first.
SET "NoDefaultCurrentDirectoryInExePath=1"
SET "found="
SET "ERRORLEVEL="
SET "way="
SET "why="
SET "host="
SET "works="
SET "lock="
CALL :seconds
SET "began=%seconds%"
FOR %%I IN ("%~dp0..\..") DO SET "root=%%~fI"
SET "releases=%~dp0releases"

REM Variables that only the agent's administrator may set. The agent lists those of the pipeline, and quotes each
REM value on one line.
SET "refused="
IF NOT DEFINED BUILDKITE_ENV_FILE GOTO paths
SET "list=%BUILDKITE_ENV_FILE:"=%"
IF NOT EXIST "%list%" GOTO paths
FOR /F "usebackq eol=# tokens=1,2" %%A IN ("%~dp0agents-variables") DO IF "%%B"=="every" CALL :look_for "%%A"
IF NOT DEFINED refused GOTO paths
SET "PATH="
CALL :fail "the pipeline sets %refused%, and only the agent's administrator may: programs on the agent's machine obey it" "take it out of the pipeline's `env`, or set it in the agent's `environment` hook" %1
GOTO none

:paths
REM An entry of PATH that is not absolute means a folder of the checkout.
SET "safe="
SET "rest=-;%PATH:"=%"
:entries
SET "entry="
FOR /F "tokens=1* delims=;" %%A IN ("%rest%") DO (
    SET "entry=%%A"
    SET "rest=%%B"
)
SET "text=%entry%"
CALL :is_absolute
IF DEFINED absolute SET "safe=%safe%%entry%;"
IF DEFINED rest GOTO entries
SET "PATH=%safe%"

IF NOT DEFINED RUST_VMM_CI_BINARY GOTO on_path
REM Often set with quotes, which are part of the value on Windows.
SET "named=%RUST_VMM_CI_BINARY:"=%"
SET "text=%named%"
CALL :is_absolute
IF DEFINED absolute GOTO named
CALL :fail "RUST_VMM_CI_BINARY is '%named%', which is not absolute: a checkout could hold that file" "write the whole path, or unset the variable to have the binary looked for" %1
GOTO none
:named
SET "found=%named%"
SET "way=RUST_VMM_CI_BINARY names it"
CALL :is_in_checkout
IF DEFINED inside GOTO in_checkout
IF EXIST "%found%" IF NOT EXIST "%found%\*" GOTO try_found
CALL :fail "RUST_VMM_CI_BINARY names '%named%', which is no file" "correct the variable, or unset it to have the binary looked for" %1
GOTO none

:on_path
SET "way=found on PATH"
FOR %%I IN (rust-vmm-ci.exe) DO SET "found=%%~$PATH:I"
IF NOT DEFINED found GOTO store
CALL :is_in_checkout
IF NOT DEFINED inside GOTO try_found
:in_checkout
CALL :fail "'%found%' is in the checkout, which holds the code of a stranger" "name a file outside of it in RUST_VMM_CI_BINARY, or take its folder out of PATH" %1
GOTO none
:try_found
CALL :works
IF DEFINED works GOTO done
CALL :fail "'%found%' does not run on this machine" "install the binary for this machine, or remove that one" %1
GOTO none

:store
IF NOT DEFINED RUST_VMM_CI_INSTALL GOTO known
FOR %%W IN (download build never) DO IF "%RUST_VMM_CI_INSTALL%"=="%%W" GOTO known
CALL :fail "RUST_VMM_CI_INSTALL is '%RUST_VMM_CI_INSTALL%'" "write download, build or never, or unset it" %1
GOTO none
:known
SET "version="
SET "repository="
FOR /F "usebackq tokens=1,2 delims== " %%A IN ("%root%\Cargo.toml") DO IF "%%A"=="version" IF NOT DEFINED version SET "version=%%~B"
FOR /F "usebackq tokens=1,2 delims== " %%A IN ("%root%\Cargo.toml") DO IF "%%A"=="repository" IF NOT DEFINED repository SET "repository=%%~B"
REM The tree's name, not the commit's: a vendored plugin has no commit of its own.
SET "tree="
FOR %%I IN (git.exe) DO SET "git=%%~$PATH:I"
REM By its bare name, from a folder of ours: cmd takes a quote away from a command line with several.
REM The agent may not own the checkout; git is asked of its name for it, and for nothing else.
PUSHD "%root%"
IF DEFINED git FOR /F %%T IN ('git -c "safe.directory=*" rev-parse HEAD:./') DO SET "tree=%%T"
POPD
IF NOT DEFINED tree SET "tree=nocommit"
REM All agents of a host share it, though their checkouts are separate. It is never in the job's own checkout.
SET "store=%root%\..\.rust-vmm-ci"
IF DEFINED BUILDKITE_PLUGINS_PATH SET "store=%BUILDKITE_PLUGINS_PATH%\.rust-vmm-ci"
FOR %%I IN ("%store%") DO SET "store=%%~fI"
SET "folder=%store%\%version%-%tree:~0,16%-windows-%PROCESSOR_ARCHITECTURE%"
SET "found=%folder%\rust-vmm-ci.exe"
SET "way=kept from an earlier job"
IF NOT EXIST "%found%" GOTO install
CALL :works
IF DEFINED works GOTO done
IF "%~1"=="--no-build" GOTO none
SET "text=the kept binary %found% is broken; it is removed and made again"
CALL :say
DEL /F "%found%"

:install
IF "%~1"=="--no-build" GOTO none
IF NOT "%RUST_VMM_CI_INSTALL%"=="never" GOTO make_store
CALL :fail "there is no rust-vmm-ci on this agent, and RUST_VMM_CI_INSTALL=never forbids to download or build it" "install rust-vmm-ci on the agent's PATH, or name it in RUST_VMM_CI_BINARY"
GOTO none
:make_store
MD "%folder%" 2>NUL
IF EXIST "%folder%\*" GOTO have_store
CALL :fail "'%folder%' cannot be made: the binary is made and kept there" "make it writable for the agent's user, or install rust-vmm-ci on the agent's PATH"
GOTO none
:have_store
>"%store%\.gitignore" ECHO *
REM The job's name is in it, because RANDOM is the same in two jobs that start in the same second.
SET "new=%folder%\new-%BUILDKITE_JOB_ID%-%RANDOM%.exe"
IF "%RUST_VMM_CI_INSTALL%"=="build" GOTO build

REM A released binary.
SET "machine=none"
IF /I "%PROCESSOR_ARCHITECTURE%"=="AMD64" SET "machine=x86_64"
IF /I "%PROCESSOR_ARCHITECTURE%"=="ARM64" SET "machine=aarch64"
SET "hash="
SET "triple="
FOR /F "usebackq eol=# tokens=1,2" %%A IN ("%releases%") DO CALL :released "%%A" "%%B"
SET "why=hooks/lib/releases has no binary of version %version% for this machine"
IF NOT DEFINED triple GOTO not_downloaded
SET "mirror=%repository%/releases/download"
IF DEFINED RUST_VMM_CI_MIRROR SET "mirror=%RUST_VMM_CI_MIRROR:"=%"
SET "text=%mirror%"
CALL :is_absolute
SET "from=%mirror%\v%version%\rust-vmm-ci-%triple%.exe"
IF NOT DEFINED absolute SET "from=%mirror%/v%version%/rust-vmm-ci-%triple%.exe"
FOR %%I IN (curl.exe) DO SET "curl=%%~$PATH:I"
FOR %%I IN (certutil.exe) DO SET "certutil=%%~$PATH:I"
SET "why=there is no certutil.exe on PATH"
IF NOT DEFINED certutil GOTO not_downloaded
SET "why=there is no curl.exe on PATH"
IF NOT DEFINED absolute IF NOT DEFINED curl GOTO not_downloaded
REM Of two jobs at once, one downloads and the other waits: whose MD makes this folder has the lock. Batch cannot
REM tell whether the holder lives. So after two minutes a job goes on without it: the lock only saves work.
SET "lock=%folder%\download"
SET "waited=0"
:lock
REM A success of MD leaves the level as it was. Wine's && does not look at it.
CALL :zero
MD "%lock%" 2>NUL
IF NOT ERRORLEVEL 1 GOTO locked
IF EXIST "%found%" GOTO locked
SET "text=another job makes it; waiting"
IF "%waited%"=="0" CALL :say
SET /A waited+=1
IF %waited% GEQ 120 GOTO locked
PING -n 2 127.0.0.1 >NUL
GOTO lock
:locked
SET "way=made by another job"
IF EXIST "%found%" CALL :works
IF NOT DEFINED works GOTO download
IF EXIST "%lock%" RD "%lock%"
GOTO done
:download
SET "tries=0"
:try_download
SET /A tries+=1
REM Under a name that Windows does not run until the hash is right.
SET "part=%new%.part"
IF EXIST "%part%" DEL /F "%part%"
SET "why=the release could not be downloaded from the mirror"
IF NOT DEFINED absolute GOTO by_curl
IF EXIST "%from%" COPY /Y "%from%" "%part%" >NUL
GOTO have_part
:by_curl
"%curl%" --fail --silent --show-error --location --globoff --connect-timeout 6 --speed-limit 1 --speed-time 6 --max-time 300 --output "%part%" --url "%from%" <NUL 1>&2
IF NOT "%ERRORLEVEL%"=="0" GOTO try_again
:have_part
IF NOT EXIST "%part%" GOTO try_again
SET "sum="
REM By their bare names, from their folder: see git above. The second line is the hash, on old systems with
REM blanks between the bytes.
PUSHD "%folder%"
FOR %%I IN ("%part%") DO SET "part_name=%%~nxI"
FOR /F "skip=1 delims=" %%H IN ('certutil -hashfile %part_name% SHA256') DO IF NOT DEFINED sum SET "sum=%%H"
POPD
IF DEFINED sum SET "sum=%sum: =%"
SET "why=the downloaded file is not the released one: its SHA-256 is not that in hooks/lib/releases"
IF /I NOT "%sum%"=="%hash%" GOTO try_again
MOVE /Y "%part%" "%new%" >NUL
SET "way=downloaded from the mirror"
GOTO placing
:try_again
IF EXIST "%part%" DEL /F "%part%"
SET "text=%why% (try %tries% of 3)"
CALL :say
IF DEFINED absolute GOTO not_downloaded
IF %tries% GEQ 3 GOTO not_downloaded
PING -n 2 127.0.0.1 >NUL
GOTO try_download
:not_downloaded
IF DEFINED lock IF EXIST "%lock%" RD "%lock%"
IF NOT "%RUST_VMM_CI_INSTALL%"=="download" GOTO build
CALL :fail "there is no rust-vmm-ci on this agent, and none could be downloaded: %why%" "install rust-vmm-ci on the agent's PATH, or correct RUST_VMM_CI_MIRROR, or unset RUST_VMM_CI_INSTALL"
GOTO none

:build
FOR %%I IN (cargo.exe) DO SET "cargo=%%~$PATH:I"
IF DEFINED cargo GOTO have_cargo
REM Only if the variable is set. Otherwise the path would start at the drive's root, where anybody can put a
REM program.
IF DEFINED CARGO_HOME IF EXIST "%CARGO_HOME%\bin\cargo.exe" SET "cargo=%CARGO_HOME%\bin\cargo.exe"
IF DEFINED cargo GOTO to_path
IF DEFINED USERPROFILE IF EXIST "%USERPROFILE%\.cargo\bin\cargo.exe" SET "cargo=%USERPROFILE%\.cargo\bin\cargo.exe"
IF DEFINED cargo GOTO to_path
CALL :fail "there is no rust-vmm-ci on this agent, and no cargo to build it with" "install rust-vmm-ci on the agent's PATH, or name it in RUST_VMM_CI_BINARY, or install Rust, with cargo on PATH"
GOTO none

:to_path
FOR %%I IN ("%cargo%") DO SET "PATH=%PATH%;%%~dpI"
:have_cargo
SET "host="
ECHO ~~~ Building rust-vmm-ci (once for this version on this agent) 1>&2
REM The job's variables are for the job's crates. One of each kind is set first: SET complains where
REM there is none, and Wine cannot redirect within FOR.
SET "CARGO_TARGET_DIR=-"
SET "RUSTFLAGS=-"
FOR /F "delims==" %%N IN ('SET CARGO_') DO CALL :forget "%%N"
FOR /F "delims==" %%N IN ('SET RUST') DO CALL :forget "%%N"
FOR %%N IN (CC AR CFLAGS LDFLAGS) DO SET "%%N="
REM Not from the job's checkout, nor from a plugin vendored in it: there cargo and rustup would read
REM the repository's .cargo\config.toml and rust-toolchain.toml.
PUSHD "%store%"
FOR /F "tokens=1,2" %%A IN ('cargo -vV') DO IF "%%A"=="host:" SET "host=%%B"
IF NOT DEFINED host CALL :fail "'%cargo% -vV' failed; its words are above" "make cargo work for the agent's user, or install rust-vmm-ci on the agent's PATH"
IF NOT DEFINED host POPD
IF NOT DEFINED host GOTO none
REM Static: no C runtime has to be installed with it.
SET "RUSTFLAGS=-C target-feature=+crt-static"
REM The lock is cargo's own, on its folders: the second build waits, and then finds everything built. What is
REM compiled is shared (cargo 1.91 and newer), since the next version needs most of it again; the program is
REM not: of two versions that are built at once each must find its own.
SET "CARGO_BUILD_BUILD_DIR=%store%\build"
"%cargo%" build --release --locked --bin rust-vmm-ci --target "%host%" --manifest-path "%root%\Cargo.toml" --target-dir "%folder%\build" <NUL 1>&2
SET "status=%ERRORLEVEL%"
POPD
IF "%status%"=="0" GOTO built
CALL :fail "building it from %root% failed; cargo's words are above" "a Rust as new as Cargo.toml's rust-version, its linker, and the crate registry are needed; or install rust-vmm-ci on the agent's PATH"
GOTO none

:built
REM It gets its name when it is whole, and replaces no other file: if another job was first, that job's binary
REM is used.
SET "way=built with %cargo%"
:placing
SET "tries=0"
:place
IF NOT EXIST "%new%" IF DEFINED host COPY /Y "%folder%\build\%host%\release\rust-vmm-ci.exe" "%new%" >NUL
REN "%new%" rust-vmm-ci.exe >NUL 2>&1
IF EXIST "%found%" GOTO placed
REM A virus scanner may have a new file open for a moment.
SET /A tries+=1
IF %tries% GEQ 10 GOTO placed
PING -n 2 127.0.0.1 >NUL
GOTO place
:placed
IF EXIST "%new%" DEL "%new%"
IF DEFINED lock IF EXIST "%lock%" RD "%lock%"
IF EXIST "%found%" CALL :works
IF DEFINED works GOTO done
CALL :fail "the binary at '%found%' is not there or does not run" "free some space, or make the folder writable for the agent's user"

:none
ENDLOCAL
EXIT /B

:done
IF "%~1"=="--no-build" GOTO told
CALL :seconds
SET /A "took=(seconds-began+86400) %% 86400"
SET "text=the binary is %found%: %way%, in %took% s"
CALL :say
:told
ENDLOCAL & SET "rust_vmm_ci=%found%" & SET "PATH=%safe%"
EXIT /B

REM Sets `refused` to the row of the table where the list has a variable of this name, or of this beginning.
:look_for
SET "pattern=%~1"
SET "start=%pattern:~0,-1%"
SET "length=0"
SET "rest=%start%"
:count
SET /A length+=1
SET "rest=%rest:~1%"
IF DEFINED rest GOTO count
FOR /F "usebackq delims==" %%N IN ("%list%") DO (
    SET "name=%%N"
    CALL :compare
)
EXIT /B
:compare
SET "name=%name:"=%"
IF NOT DEFINED name EXIT /B
IF /I "%name%"=="%pattern%" SET "refused=%pattern%"
IF NOT "%pattern:~-1%"=="*" EXIT /B
CALL SET "head=%%name:~0,%length%%%"
IF /I "%head%"=="%start%" SET "refused=%pattern%"
EXIT /B

REM Sets `inside` where the file `found` is in the checkout: one of the folders above it is the checkout.
:is_in_checkout
SET "inside="
SET "checkout=%CD%"
IF DEFINED BUILDKITE_BUILD_CHECKOUT_PATH SET "checkout=%BUILDKITE_BUILD_CHECKOUT_PATH:"=%"
FOR %%I IN ("%checkout%\.") DO SET "checkout=%%~fI"
SET "above=%found%"
:climb
SET "below=%above%"
FOR %%I IN ("%below%\..") DO SET "above=%%~fI"
IF /I "%above%"=="%checkout%" SET "inside=1"
IF DEFINED inside EXIT /B
IF NOT "%above%"=="%below%" GOTO climb
EXIT /B

REM Sets `works` where the file `found` runs.
:works
SET "works="
"%found%" --version <NUL >NUL 2>&1
IF "%ERRORLEVEL%"=="0" SET "works=1"
EXIT /B

REM Sets `absolute` where `text` begins with a drive or a server.
:is_absolute
SET "absolute="
IF NOT DEFINED text EXIT /B
IF "%text:~1,2%"==":\" SET "absolute=1"
IF "%text:~1,2%"==":/" SET "absolute=1"
IF "%text:~0,2%"=="\\" SET "absolute=1"
EXIT /B

:zero
EXIT /B 0

REM Sets `triple` and `hash` from the first line of `releases` for this machine.
:released
IF DEFINED triple EXIT /B
FOR %%E IN (gnu msvc gnullvm) DO IF "%~2"=="%machine%-pc-windows-%%E" SET "triple=%~2"
IF DEFINED triple SET "hash=%~1"
EXIT /B

REM Sets `seconds` to the seconds of the day.
:seconds
SET "seconds=0"
FOR /F "tokens=1-3 delims=:., " %%A IN ("%TIME%") DO CALL :of_day "%%A" "%%B" "%%C"
EXIT /B
:of_day
REM The hour has one digit or two. Wine has AM or PM in place of the seconds, which is no number: then it stays 0.
SET "hour=0%~1"
SET "minute=0%~2"
SET "second=0%~3"
SET /A "seconds=((1%hour:~-2% %% 100)*60+(1%minute:~-2% %% 100))*60+(1%second:~-2% %% 100)" 2>NUL
EXIT /B

REM Says `text`. Expanded late, so that no sign in a path is cmd's.
:say
SETLOCAL EnableDelayedExpansion
ECHO rust-vmm-ci: !text! 1>&2
ENDLOCAL
EXIT /B

:fail
IF "%~3"=="--no-build" EXIT /B
REM Expanded late, so that no sign in a path is cmd's.
SET "what=%~1"
SET "mend=%~2"
SETLOCAL EnableDelayedExpansion
ECHO rust-vmm-ci: !what! 1>&2
ECHO rust-vmm-ci: to mend it: !mend! 1>&2
ENDLOCAL
EXIT /B

REM The variables that say where the registry and the toolchains are belong to the agent, and stay.
:forget
SET "name=%~1"
IF /I "%name%"=="CARGO_HOME" EXIT /B
IF /I "%name:~0,11%"=="CARGO_HTTP_" EXIT /B
IF /I "%name:~0,10%"=="CARGO_NET_" EXIT /B
IF /I "%name:~0,13%"=="CARGO_REGISTR" EXIT /B
IF /I "%name:~0,13%"=="CARGO_SOURCE_" EXIT /B
IF /I "%name%"=="RUSTUP_HOME" EXIT /B
IF /I "%name%"=="RUSTUP_DIST_SERVER" EXIT /B
IF /I "%name%"=="RUSTUP_UPDATE_ROOT" EXIT /B
IF /I "%name:~0,11%"=="RUST_VMM_CI" EXIT /B
SET "%name%="
EXIT /B
