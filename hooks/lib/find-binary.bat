@ECHO OFF
REM find-binary.bat [--no-build]
REM
REM Sets rust_vmm_ci to the path of the binary, or to nothing where there is none and none could be
REM built. With --no-build none is built, and nothing is said. The twin of find-binary.
REM
REM No block holds a path: a parenthesis in it, as in "Program Files (x86)", would end the block.
SET "rust_vmm_ci="
SETLOCAL EnableExtensions DisableDelayedExpansion
SET "found="
SET "ERRORLEVEL="
FOR %%I IN ("%~dp0..\..") DO SET "root=%%~fI"

IF NOT DEFINED RUST_VMM_CI_BINARY GOTO on_path
REM Often set with quotes, which are part of the value on Windows.
SET "named=%RUST_VMM_CI_BINARY:"=%"
FOR %%I IN ("%named%") DO SET "found=%%~fI"
IF EXIST "%found%" IF NOT EXIST "%found%\*" GOTO done
CALL :fail "RUST_VMM_CI_BINARY names '%named%', which is no file" "correct the variable, or unset it to have the binary looked for" %1
GOTO none

:on_path
FOR %%I IN (rust-vmm-ci.exe) DO SET "found=%%~$PATH:I"
IF DEFINED found GOTO done

REM A binary to download, when releases have them, belongs after the one that is kept.
SET "version="
FOR /F "usebackq tokens=1,2 delims== " %%A IN ("%root%\Cargo.toml") DO IF "%%A"=="version" IF NOT DEFINED version SET "version=%%~B"
REM The tree's name, not the commit's: a vendored plugin has no commit of its own.
SET "tree="
FOR %%I IN (git.exe) DO SET "git=%%~$PATH:I"
REM By its bare name, from a folder of ours: cmd takes a quote away from a command line with several.
REM The agent may not own the checkout; git is asked of its name for it, and for nothing else.
PUSHD "%root%"
IF DEFINED git FOR /F %%T IN ('git -c "safe.directory=*" rev-parse HEAD:./') DO SET "tree=%%T"
POPD
IF NOT DEFINED tree SET "tree=nocommit"
REM One for all agents of a host, whose checkouts are apart; never in the job's own checkout.
SET "store=%root%\..\.rust-vmm-ci"
IF DEFINED BUILDKITE_PLUGINS_PATH SET "store=%BUILDKITE_PLUGINS_PATH%\.rust-vmm-ci"
FOR %%I IN ("%store%") DO SET "store=%%~fI"
SET "folder=%store%\%version%-%tree:~0,16%-windows-%PROCESSOR_ARCHITECTURE%"
SET "found=%folder%\rust-vmm-ci.exe"
IF EXIST "%found%" GOTO done
IF "%~1"=="--no-build" GOTO none

FOR %%I IN (cargo.exe) DO SET "cargo=%%~$PATH:I"
IF DEFINED cargo GOTO have_cargo
REM Only where the variable is: what then stood at the drive's root would be anybody's.
IF DEFINED CARGO_HOME IF EXIST "%CARGO_HOME%\bin\cargo.exe" SET "cargo=%CARGO_HOME%\bin\cargo.exe"
IF DEFINED cargo GOTO to_path
IF DEFINED USERPROFILE IF EXIST "%USERPROFILE%\.cargo\bin\cargo.exe" SET "cargo=%USERPROFILE%\.cargo\bin\cargo.exe"
IF DEFINED cargo GOTO to_path
CALL :fail "there is no rust-vmm-ci on this agent, and no cargo to build it with" "install rust-vmm-ci on the agent's PATH, or name it in RUST_VMM_CI_BINARY, or install Rust, with cargo on PATH"
GOTO none

:to_path
FOR %%I IN ("%cargo%") DO SET "PATH=%PATH%;%%~dpI"
:have_cargo
MD "%folder%" 2>NUL
IF EXIST "%folder%\*" GOTO have_store
CALL :fail "'%folder%' cannot be made: the binary is built and kept there" "make it writable for the agent's user, or install rust-vmm-ci on the agent's PATH"
GOTO none

:have_store
>"%store%\.gitignore" ECHO *
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
SET "host="
FOR /F "tokens=1,2" %%A IN ('cargo -vV') DO IF "%%A"=="host:" SET "host=%%B"
IF NOT DEFINED host CALL :fail "'%cargo% -vV' failed; its words are above" "make cargo work for the agent's user, or install rust-vmm-ci on the agent's PATH"
IF NOT DEFINED host POPD
IF NOT DEFINED host GOTO none
REM Static: no C runtime has to be installed with it.
SET "RUSTFLAGS=-C target-feature=+crt-static"
REM The lock is cargo's own, on its folders: who comes second waits, and finds all fresh. What is
REM compiled is shared (cargo 1.91 and newer), since the next version needs most of it again; the
REM program is not: of two versions that are built at once each must find its own.
SET "CARGO_BUILD_BUILD_DIR=%store%\build"
"%cargo%" build --release --locked --bin rust-vmm-ci --target "%host%" --manifest-path "%root%\Cargo.toml" --target-dir "%folder%\build" <NUL 1>&2
SET "status=%ERRORLEVEL%"
POPD
IF "%status%"=="0" GOTO built
CALL :fail "building it from %root% failed; cargo's words are above" "a Rust as new as Cargo.toml's rust-version, its linker, and the crate registry are needed; or install rust-vmm-ci on the agent's PATH"
GOTO none

:built
REM Named whole, and never over another: where another job was first, its binary serves.
REM By the job's name: of two that start in one second RANDOM is the same.
SET "new=%folder%\new-%BUILDKITE_JOB_ID%-%RANDOM%.exe"
SET "tries=0"
:place
IF NOT EXIST "%new%" COPY /Y "%folder%\build\%host%\release\rust-vmm-ci.exe" "%new%" >NUL
REN "%new%" rust-vmm-ci.exe >NUL 2>&1
IF EXIST "%found%" GOTO placed
REM A scanner looks into what is new, for a moment.
SET /A tries+=1
IF %tries% GEQ 10 GOTO placed
PING -n 2 127.0.0.1 >NUL
GOTO place
:placed
IF EXIST "%new%" DEL "%new%"
IF EXIST "%found%" GOTO done
CALL :fail "the binary could not be put at '%found%'" "free some space, or make the folder writable for the agent's user"

:none
ENDLOCAL
EXIT /B

:done
ENDLOCAL & SET "rust_vmm_ci=%found%"
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

REM Where the registry and the toolchains are is the agent's affair, and stays.
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
