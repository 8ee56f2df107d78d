import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.Quantity;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.spark.SecurityManager;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkSubmit;
import org.apache.spark.deploy.SparkSubmitArguments;
import org.apache.spark.deploy.k8s.KubernetesConf;
import org.apache.spark.deploy.k8s.KubernetesDriverConf;
import org.apache.spark.deploy.k8s.KubernetesExecutorConf;
import org.apache.spark.deploy.k8s.SparkPod;
import org.apache.spark.deploy.k8s.features.BasicDriverFeatureStep;
import org.apache.spark.deploy.k8s.features.BasicExecutorFeatureStep;
import org.apache.spark.deploy.k8s.features.DriverCommandFeatureStep;
import org.apache.spark.deploy.k8s.features.KubernetesFeatureConfigStep;
import org.apache.spark.deploy.k8s.submit.ClientArguments;
import org.apache.spark.resource.ResourceProfile;
import org.apache.spark.resource.ResourceProfile$;
import org.apache.spark.util.Utils;
import scala.Option;
import scala.Tuple2;
import scala.Tuple4;
import scala.collection.Iterable;
import scala.collection.Iterator;

/**
 * Says what pods Spark itself would ask Kubernetes for: takes a spark-submit command line through
 * Spark's argument parser and its steps for driver and executor, up to where it would call the API
 * server. Compiled against the jars of each Spark release that is tested.
 *
 * <p>Reads a file of lines `NAME TAB ARGUMENT TAB ARGUMENT...` and prints a line `NAME TAB
 * DRIVER-REQUESTS TAB DRIVER-LIMITS TAB EXECUTOR-REQUESTS TAB EXECUTOR-LIMITS TAB MIN TAB INITIAL
 * TAB MAX` for each, resources as `cpu=MILLICORES,memory=BYTES` with `-` for what is not set, or
 * `NAME TAB error TAB MESSAGE`.
 */
public final class PodSizes {
  public static void main(String[] arguments) throws Exception {
    for (String line : Files.readAllLines(Path.of(arguments[0]))) {
      String[] fields = line.split("\t");
      String[] submit = Arrays.copyOfRange(fields, 1, fields.length);
      try {
        System.out.println(fields[0] + "\t" + sizes(submit));
      } catch (Exception | Error failure) {
        String text = String.valueOf(failure.getMessage()).replace('\n', ' ').replace('\t', ' ');
        System.out.println(fields[0] + "\terror\t" + failure.getClass().getName() + ": " + text);
      }
    }
  }

  private static String sizes(String[] commandLine) {
    SparkSubmitArguments parsed =
        new SparkSubmitArguments(
            list(commandLine),
            scala.collection.immutable.Map$.MODULE$.<String, String>empty());
    Tuple4<?, ?, SparkConf, String> prepared =
        new SparkSubmit().prepareSubmitEnvironment(parsed, Option.empty());
    SparkConf conf = prepared._3();
    List<String> childArguments = new ArrayList<>();
    Iterator<?> child = ((Iterable<?>) prepared._1()).iterator();
    while (child.hasNext()) {
      childArguments.add((String) child.next());
    }
    ClientArguments client =
        ClientArguments.fromCommandLineArgs(childArguments.toArray(new String[0]));
    KubernetesDriverConf driverConf =
        KubernetesConf.createDriverConf(
            conf,
            "spark-0",
            client.mainAppResource(),
            client.mainClass(),
            client.driverArgs(),
            Option.<String>empty());
    BasicDriverFeatureStep driverStep = new BasicDriverFeatureStep(driverConf);
    Container driver = driverStep.configurePod(SparkPod.initialPod()).container();

    // The driver gets these as its properties, and sizes executors by them.
    SparkConf atDriver = conf.clone();
    addProperties(driverStep, atDriver);
    addProperties(new DriverCommandFeatureStep(driverConf), atDriver);
    atDriver.set("spark.driver.host", "localhost");
    ResourceProfile$.MODULE$.clearDefaultProfile();
    ResourceProfile profile = ResourceProfile$.MODULE$.getOrCreateDefaultProfile(atDriver);
    KubernetesExecutorConf executorConf =
        KubernetesConf.createExecutorConf(atDriver, "1", "spark-0", Option.empty(), profile.id());
    SecurityManager security =
        new SecurityManager(
            atDriver, Option.empty(), SecurityManager.$lessinit$greater$default$3());
    Container executor =
        new BasicExecutorFeatureStep(executorConf, security, profile)
            .configurePod(SparkPod.initialPod())
            .container();

    boolean dynamic = Utils.isDynamicAllocationEnabled(atDriver);
    return text(driver.getResources().getRequests())
        + "\t"
        + text(driver.getResources().getLimits())
        + "\t"
        + text(executor.getResources().getRequests())
        + "\t"
        + text(executor.getResources().getLimits())
        + "\t"
        + (dynamic ? atDriver.get("spark.dynamicAllocation.minExecutors", "0") : "-")
        + "\t"
        + (dynamic
            ? String.valueOf(Utils.getDynamicAllocationInitialExecutors(atDriver))
            : atDriver.get("spark.executor.instances", "-"))
        + "\t"
        + (dynamic ? atDriver.get("spark.dynamicAllocation.maxExecutors", "-") : "-");
  }

  private static void addProperties(KubernetesFeatureConfigStep step, SparkConf conf) {
    Iterator<Tuple2<String, String>> properties =
        step.getAdditionalPodSystemProperties().iterator();
    while (properties.hasNext()) {
      Tuple2<String, String> property = properties.next();
      conf.set(property._1(), property._2());
    }
  }

  private static scala.collection.immutable.List<String> list(String[] items) {
    scala.collection.immutable.List<String> list =
        scala.collection.immutable.List$.MODULE$.<String>empty();
    for (int i = items.length - 1; i >= 0; --i) {
      list = list.$colon$colon(items[i]);
    }
    return list;
  }

  private static String text(Map<String, Quantity> resources) {
    return "cpu=" + amount(resources, "cpu", 1000) + ",memory=" + amount(resources, "memory", 1);
  }

  private static String amount(Map<String, Quantity> resources, String name, int scale) {
    if (resources == null || !resources.containsKey(name)) {
      return "-";
    }
    return Quantity.getAmountInBytes(resources.get(name))
        .multiply(BigDecimal.valueOf(scale))
        .toBigIntegerExact()
        .toString();
  }

  private PodSizes() {}
}
