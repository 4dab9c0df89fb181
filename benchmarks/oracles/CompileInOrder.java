import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Compiles groups of files one after the other, each seeing only the classes of those before it.
 *
 * usage: java CompileInOrder.java CLASSES EMPTY_FOLDER, a group a line on standard input, its files separated by tabs. Prints
 * "compiled FILES failed FILES", after the first error of each group that fails.
 */
public class CompileInOrder {
    public static void main(String[] arguments) throws Exception {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        List<String> options = List.of(
                "-d", arguments[0], "-cp", arguments[0], "-sourcepath", arguments[1], "-implicit:none", "-proc:none", "-nowarn",
                "-Xlint:none", "-encoding", "UTF-8");
        int compiled = 0;
        int failed = 0;
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            List<File> files = new ArrayList<>();
            for (String name : line.split("\t")) {
                files.add(new File(name));
            }
            DiagnosticCollector<JavaFileObject> told = new DiagnosticCollector<>();
            try (StandardJavaFileManager manager = compiler.getStandardFileManager(told, null, null)) {
                if (compiler.getTask(null, manager, told, options, null, manager.getJavaFileObjectsFromFiles(files)).call()) {
                    compiled += files.size();
                } else {
                    failed += files.size();
                    System.out.println(files.get(0).getName() + ": " + told.getDiagnostics().get(0).getMessage(null).replace("\n", " "));
                }
            }
        }
        System.out.println("compiled " + compiled + " failed " + failed);
    }
}
